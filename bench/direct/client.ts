import { Agent, type IncomingMessage, request as requestHttp } from 'node:http'
import { Agent as TlsAgent, request as requestHttps } from 'node:https'
import type { Clock } from './clock.ts'

/** Header by which the upstream recognizes a call that arrives again. */
export const CALL_ID = 'x-bench-call'

/** Seconds that a client waits for a call unless it says otherwise. */
export const PATIENCE = 70

/** Response heads up to this size are accepted, as by curl or Python; Node's own limit is 16 KiB. */
const MAX_HEAD_BYTES = 64 * 1024

/** Bytes of a response body that are kept for the client to look at. */
const MAX_TEXT_BYTES = 4096

export type Call = {
  readonly method?: 'GET' | 'POST' | 'PUT'
  readonly path?: string
  /** Seconds until the client gives up. */
  readonly timeout?: number
  /** Body in so many pieces, with so many seconds between two. */
  readonly body?: { readonly bytes: number; readonly pieces: number; readonly every: number }
  /** Protocol to switch to. The call finishes when the tunnel ends in order. */
  readonly upgrade?: string
}

/** The status is undefined when the call ended without a whole response. */
export type Reply = { readonly status: number | undefined; readonly text: string }

/** How a client fared. Times are in seconds since it began. */
export type Tally = {
  readonly finished: number
  readonly failed: number
  /** When the last call that failed was made. */
  readonly lastFailureAt: number | undefined
  /** When the last call ended. */
  readonly endedAt: number
}

export type Client = {
  /** Makes a call, of which the tally hears nothing. */
  call(call: Call): Promise<Reply>
  /** Adds a piece of work, such as a call or a job, to the tally. */
  count(work: () => Promise<boolean>): Promise<void>
  tally(): Tally
  close(): void
}

/** 2xx, and 101 of a tunnel. */
export const isFine = ({ status }: Reply) => status === 101 || (status !== undefined && status >= 200 && status < 300)

/** Counts pieces of work on any clock. */
export function counter(clock: Clock): Pick<Client, 'count' | 'tally'> {
  const tally = { finished: 0, failed: 0, lastFailureAt: undefined as number | undefined, endedAt: 0 }
  return {
    count: async (work) => {
      const madeAt = clock.now()
      if (await work()) tally.finished += 1
      else {
        tally.failed += 1
        tally.lastFailureAt = Math.max(tally.lastFailureAt ?? 0, madeAt)
      }
      tally.endedAt = clock.now()
    },
    tally: () => ({ ...tally }),
  }
}

/** @param bases where calls go, in turn. */
export function createClient(bases: readonly string[], clock: Clock, ca?: string): Client {
  const agent = new Agent({ keepAlive: true })
  const tlsAgent = new TlsAgent({ keepAlive: true, ...(ca !== undefined && { ca }) })
  let calls = 0

  const call = ({ method = 'GET', path = '/', timeout = PATIENCE, body, upgrade }: Call) => {
    const id = String(calls)
    const url = `${bases[calls % bases.length]}${path}`
    calls += 1
    const headers = {
      [CALL_ID]: id,
      ...(body !== undefined && { 'content-length': body.bytes }),
      ...(upgrade !== undefined && { connection: 'upgrade', upgrade }),
    }
    const options = { method, headers, maxHeaderSize: MAX_HEAD_BYTES }
    const request = url.startsWith('https:')
      ? requestHttps(url, { ...options, agent: tlsAgent })
      : requestHttp(url, { ...options, agent })

    return new Promise<Reply>((resolve) => {
      const end = (reply: Reply) => {
        clearTimeout(timer)
        resolve(reply)
      }
      const fail = () => end({ status: undefined, text: '' })
      const timer = setTimeout(() => request.destroy(new Error('the client gave up')), clock.toMs(timeout))
      request.on('error', fail)
      request.on('response', (response) => void readWhole(response).then(end, fail))
      request.on('upgrade', (response, socket) => {
        socket.on('end', () => socket.end())
        socket.on('error', fail)
        socket.on('close', (hadError) => end({ status: hadError ? undefined : response.statusCode, text: '' }))
        socket.resume()
      })
      if (body === undefined) request.end()
      else void sendInPieces(request, body, clock)
    })
  }

  return {
    call,
    ...counter(clock),
    close: () => {
      agent.destroy()
      tlsAgent.destroy()
    },
  }
}

async function readWhole(response: IncomingMessage): Promise<Reply> {
  let text = ''
  for await (const chunk of response) if (text.length < MAX_TEXT_BYTES) text += chunk
  if (!response.complete) throw new Error('the response broke off')
  return { status: response.statusCode, text }
}

async function sendInPieces(
  request: ReturnType<typeof requestHttp>,
  { bytes, pieces, every }: NonNullable<Call['body']>,
  clock: Clock,
): Promise<void> {
  let sent = 0
  for (let piece = 1; piece <= pieces && !request.destroyed; piece += 1) {
    const end = Math.round((bytes * piece) / pieces)
    request.write(Buffer.alloc(end - sent, 'x'))
    sent = end
    await clock.sleep(every)
  }
  request.end()
}
