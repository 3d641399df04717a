import { number, parsed, text } from '../simulate/recorded/log-fields.ts'
import { type Place, placeAt, withoutPrefix } from '../simulate/recorded/place.ts'
import type { Exchange, Recording } from './exchange.ts'

/** Reads an access log. It has neither queries nor bodies. */
export async function recordingOfLog(lines: AsyncIterable<string>): Promise<Recording> {
  const exchanges: Exchange[] = []
  const places = new Map<string, Place>()
  let unread = 0
  for await (const line of lines) {
    if (!line.includes('"msg":"request"')) continue
    const fields = parsed(line)
    const endedAt = Date.parse(text(fields?.time))
    if (fields === undefined || Number.isNaN(endedAt)) unread += 1
    else if (text(fields.upstream) !== '') exchanges.push(exchangeOf(fields, endedAt, places))
  }
  return { exchanges, urls: new Map(), hasBodies: false, unread }
}

/** @param places known ones by upstream and route: a log of many lines has few. */
function exchangeOf(fields: Readonly<Record<string, unknown>>, endedAt: number, places: Map<string, Place>): Exchange {
  const [upstream, route, method] = [text(fields.upstream), text(fields.route), text(fields.method)]
  const key = `${upstream}\n${route}`
  const place = places.get(key) ?? placeAt({ upstream, route })
  places.set(key, place)
  const totalMs = number(fields.total_ms)
  return {
    upstream,
    method,
    path: withoutPrefix(method, text(fields.path), place),
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
