import { createServer } from 'node:http'
import { listening } from './ports.ts'
import type { Scope } from './scripted-upstream.ts'

const BODY = JSON.stringify({ id: 'x', status: 'processing', progress: 42 })

export type CountingUpstream = {
  readonly origin: string
  readonly bodyBytes: number
  /** Number of requests by outcome: `200` or the fault. */
  readonly counts: Readonly<Record<string, number>>
}

/** Answers each request at once, or with the fault that `faultOf` has for its number, from 1. */
export async function countingUpstream(
  t: Scope,
  faultOf: (n: number) => string | undefined,
): Promise<CountingUpstream> {
  const counts: Record<string, number> = {}
  let n = 0
  const server = createServer((_, response) => {
    n += 1
    const fault = faultOf(n)
    counts[fault ?? '200'] = (counts[fault ?? '200'] ?? 0) + 1
    if (fault === 'reset') return void response.socket?.resetAndDestroy()
    if (fault === 'truncated') {
      response.writeHead(200, { 'content-length': 1_000 })
      response.write('the beginning')
      return void setImmediate(() => response.socket?.destroy())
    }
    response.writeHead(fault === undefined ? 200 : Number(fault), { 'content-length': BODY.length })
    response.end(BODY)
  })
  const port = await listening(server)
  t.onTestFinished(() => void server.close().closeAllConnections())
  return { origin: `http://127.0.0.1:${port}`, bodyBytes: BODY.length, counts }
}
