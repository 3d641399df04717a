/** Common parts of the three scripted services: a job API as uvicorn serves one, with its faults. */

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** Faults, each as the real services have it. Off unless given. */
export type Faults = {
  /** The process ends after this many requests; those under way are served (uvicorn's limit_max_requests). */
  readonly restartEvery?: number
  /** Connections, including idle ones, above which it answers 503 in plain text (uvicorn's limit_concurrency). */
  readonly limitConcurrency?: number
  /** Calls per `perMs` above which it answers 429 with Retry-After. */
  readonly rateLimit?: { readonly calls: number; readonly perMs: number }
  /** Every `every` calls, the next few get a 503. */
  readonly burst?: { readonly every: number; readonly length: number }
  /** Time without workers, in ms after the first call: every call gets a 503. */
  readonly outages?: readonly { readonly fromMs: number; readonly toMs: number }[]
  /** Every so many calls it resets the connection. */
  readonly resetEvery?: number
}

export type ServiceOptions = {
  readonly kind: 'search' | 'downloader' | 'transcriber'
  /** 0 for any free one. */
  readonly port: number
  /** Number of the poll at which a job is done. */
  readonly pollsToFinish: number
  /** Time for which POST /jobs and /health block the downloader's event loop. */
  readonly blockMs: number
  /** Size of the file that the downloader serves. */
  readonly fileBytes: number
  readonly faults: Faults
}

export type Call = {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly body: Buffer
}

export type Reply = {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Buffer | string
}

/** undefined for an unknown route. */
export type Handler = (call: Call, request: IncomingMessage) => Reply | undefined

export const json = (status: number, value: unknown): Reply => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(value),
})

export const failure = (status: number, error: string, message: string) => json(status, { error, message })

const OVERLOADED: Reply = {
  status: 503,
  headers: { 'content-type': 'text/plain; charset=utf-8', connection: 'close' },
  body: 'Service Unavailable',
}

export type RunningService = { readonly port: number }

/**
 * @param report called with each call, and whether it came while the service was down, limited or out of workers.
 * @param onRestart called when the service has served its last request and closed.
 */
export async function startService(
  options: ServiceOptions,
  handle: Handler,
  report: (isStruggling: boolean) => void,
  onRestart: () => void,
): Promise<RunningService> {
  const troubles = createTroubles(options.faults)
  const sockets = new Set<Socket>()
  const restartAfter = options.faults.restartEvery ?? Number.POSITIVE_INFINITY
  let served = 0
  const server = createServer({ keepAliveTimeout: 5_000, requestTimeout: 0 }, (request, response) => {
    served += 1
    const trouble = troubles(sockets.size)
    report(trouble !== undefined)
    if (served >= restartAfter) {
      if (server.listening) server.close(onRestart)
      response.setHeader('connection', 'close')
    }
    // A connection in use at the close is idle after its answer, and would delay the end.
    response.on('close', () => server.listening || server.closeIdleConnections())
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      if (trouble === 'reset') return void request.socket.resetAndDestroy()
      const url = new URL(request.url ?? '/', 'http://service')
      const call = {
        method: request.method ?? '',
        path: url.pathname,
        query: url.searchParams,
        body: Buffer.concat(chunks),
      }
      send(response, trouble ?? handle(call, request) ?? failure(404, 'HTTP_ERROR', 'Not Found'))
    })
  })
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => socket.destroy())
  })
  await new Promise<void>((resolve) => server.listen(options.port, '127.0.0.1', resolve))
  const address = server.address()
  return { port: typeof address === 'object' && address !== null ? address.port : 0 }
}

function send(response: ServerResponse, { status, headers = {}, body = '' }: Reply): void {
  const bytes = Buffer.from(body)
  response.writeHead(status, { ...headers, 'content-length': String(bytes.length) })
  response.end(bytes)
}

/** The fault that a call meets; undefined when it is served. */
function createTroubles(faults: Faults): (connections: number) => Reply | 'reset' | undefined {
  let calls = 0
  let startedAt: number | undefined
  let recent: number[] = []
  return (connections) => {
    const now = performance.now()
    startedAt ??= now
    calls += 1
    const { burst, outages = [], rateLimit, limitConcurrency, resetEvery } = faults
    const since = now - startedAt
    if (outages.some(({ fromMs, toMs }) => since >= fromMs && since < toMs)) return OVERLOADED
    if (limitConcurrency !== undefined && connections > limitConcurrency) return OVERLOADED
    if (burst !== undefined && calls % burst.every >= burst.every - burst.length) return OVERLOADED
    if (resetEvery !== undefined && calls % resetEvery === 0) return 'reset'
    if (rateLimit === undefined) return undefined
    recent = recent.filter((at) => now - at < rateLimit.perMs)
    if (recent.length < rateLimit.calls) {
      recent.push(now)
      return undefined
    }
    const waitS = Math.max(1, Math.ceil((rateLimit.perMs - (now - (recent[0] ?? now))) / 1000))
    return { ...json(429, { detail: 'Rate limit exceeded' }), headers: { 'retry-after': String(waitS) } }
  }
}
