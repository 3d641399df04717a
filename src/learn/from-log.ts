import { number, parsed, text } from '../simulate/recorded/log-fields.ts'
import type { Exchange, Recording } from './exchange.ts'

/** Reads an access log. It has neither queries nor bodies. */
export async function recordingOfLog(lines: AsyncIterable<string>): Promise<Recording> {
  const exchanges: Exchange[] = []
  let unread = 0
  for await (const line of lines) {
    if (!line.includes('"msg":"request"')) continue
    const fields = parsed(line)
    const endedAt = Date.parse(text(fields?.time))
    if (fields === undefined || Number.isNaN(endedAt)) unread += 1
    else if (text(fields.upstream) !== '') exchanges.push(exchangeOf(fields, endedAt))
  }
  return { exchanges, urls: new Map(), hasBodies: false, unread }
}

function exchangeOf(fields: Readonly<Record<string, unknown>>, endedAt: number): Exchange {
  const upstream = text(fields.upstream)
  const totalMs = number(fields.total_ms)
  return {
    upstream,
    method: text(fields.method),
    path: withoutPrefix(text(fields.path), upstream),
    query: [],
    status: number(fields.status),
    headers: new Map(),
    body: undefined,
    bytes: number(fields.bytes_out),
    atMs: endedAt - totalMs,
    firstByteMs: typeof fields.first_byte_ms === 'number' ? fields.first_byte_ms : undefined,
    totalMs,
  }
}

/** On the shared listener the first segment names the upstream. */
function withoutPrefix(path: string, upstream: string): string {
  return path.startsWith(`/${upstream}/`) ? path.slice(upstream.length + 1) : path
}
