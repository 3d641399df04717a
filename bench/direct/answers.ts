import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Clock } from './clock.ts'
import type { Answers } from './upstream.ts'

/** Answers 200 after so many seconds. */
export const fine =
  (seconds = 0.005) =>
  (clock: Clock): Answers => ({ request: answerAfter(clock, seconds) })

/** Answers the requests of each path by a listener of its own, all others with 200. */
export const byPath =
  (listeners: (clock: Clock) => Readonly<Record<string, RequestListener>>) =>
  (clock: Clock): Answers => {
    const known = listeners(clock)
    const other = answerAfter(clock, 0.005)
    return { request: (request, response) => (known[request.url ?? ''] ?? other)(request, response) }
  }

/** Answers 200 once the request is whole and so many seconds have passed. */
export const answerAfter =
  (clock: Clock, seconds: number): RequestListener =>
  async (request, response) => {
    if (!(await isWhole(request))) return
    await clock.sleep(seconds)
    answer(response)
  }

export function answer(response: ServerResponse, status = 200, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(`{"status":${status}}`)
}

/** Reads the request. @returns whether it arrived whole. */
async function isWhole(request: IncomingMessage): Promise<boolean> {
  try {
    for await (const _ of request);
    return true
  } catch {
    return false
  }
}

/** A body of so many pieces, one each so many seconds. */
export const inPieces =
  (clock: Clock, piece: string, pieces: number, every: number): RequestListener =>
  async (_request, response) => {
    response.writeHead(200)
    for (let n = 0; n < pieces && !response.destroyed; n += 1) {
      response.write(piece)
      await clock.sleep(every)
    }
    response.end()
  }
