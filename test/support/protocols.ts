import { readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createSecureServer, type Http2SecureServer, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import { createServer } from 'node:https'
import type { Socket } from 'node:net'
import { type FakeClock, fakeClock } from './fake-clock.ts'
import { listening } from './ports.ts'
import { type ProxyOptions, type Sidecar, startProxy } from './proxy.ts'
import type { Scope } from './scripted-upstream.ts'
import { fixture } from './tls-upstream.ts'

/** How the sidecar reaches the upstream: the server's protocol, and the setting `http2`. */
export const PROTOCOLS = {
  'HTTP/2': { server: 'h2', http2: true },
  'HTTP/1.1, http2 not offered': { server: 'http/1.1', http2: true },
  'HTTP/1.1': { server: 'http/1.1', http2: false },
} as const

export type Protocol = keyof typeof PROTOCOLS

export type Serve = (request: IncomingMessage, response: ServerResponse, n: number) => void

/** A TLS server that the tests look into. */
export type LookedInto = {
  readonly port: number
  /** Versions of the requests' protocols, in order of arrival. */
  readonly versions: readonly string[]
  /** TCP connections so far, and those open now. */
  readonly connections: () => number
  readonly open: () => number
  /** HTTP/2 sessions in order of their beginning. */
  readonly sessions: readonly ServerHttp2Session[]
  /** Resolves when the n-th request (from 1) has arrived. */
  begun(n: number): Promise<void>
  /** Resolves when no connection is open. */
  empty(): Promise<void>
  /** Closes the open connections, and goes on serving. */
  drop(): void
  close(): void
}

type Options = {
  readonly maxConcurrentStreams?: number
  readonly allowHTTP1?: boolean
  readonly port?: number
  readonly maxHeaderSize?: number
}

/** Starts an upstream with a certificate for 127.0.0.1, by either protocol with the same handler. */
export async function upstreamBy(
  t: Scope,
  protocol: 'h2' | 'http/1.1',
  serve: Serve,
  { maxConcurrentStreams, allowHTTP1 = false, port: wanted, maxHeaderSize = 16 * 1024 }: Options = {},
): Promise<LookedInto> {
  const certificate = { key: readFileSync(fixture('server.key')), cert: readFileSync(fixture('server.pem')) }
  const settings = maxConcurrentStreams === undefined ? {} : { settings: { maxConcurrentStreams } }
  const server =
    protocol === 'h2'
      ? createSecureServer({ ...certificate, ...settings, allowHTTP1 })
      : createServer({ ...certificate, keepAliveTimeout: 0, maxHeaderSize })
  const [sockets, sessions, versions] = [new Set<Socket>(), [] as ServerHttp2Session[], [] as string[]]
  const watchers = new Set<() => void>()
  let connections = 0
  const changed = () => {
    for (const watch of watchers) watch()
  }
  const when = (holds: () => boolean) =>
    new Promise<void>((resolve) => {
      const look = () => {
        if (!holds()) return
        watchers.delete(look)
        resolve()
      }
      watchers.add(look)
      look()
    })
  server.on('connection', (socket: Socket) => {
    connections += 1
    sockets.add(socket)
    socket.on('error', () => {})
    socket.once('close', () => {
      sockets.delete(socket)
      changed()
    })
  })
  const http2Server = server as Http2SecureServer
  http2Server.on('session', (session) => {
    sessions.push(session)
    session.on('error', () => {})
  })
  http2Server.on('stream', (stream) => void stream.on('error', () => {}))
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    versions.push(request.httpVersion)
    request.on('error', () => {})
    response.on('error', () => {})
    serve(request, response, versions.length)
    changed()
  })
  const drop = () => {
    for (const socket of sockets) socket.destroy()
  }
  const close = () => {
    server.close()
    drop()
  }
  t.onTestFinished(close)
  const port = await (wanted === undefined
    ? listening(server)
    : new Promise<number>((resolve) => server.listen(wanted, '127.0.0.1', () => resolve(wanted))))
  return {
    port,
    versions,
    connections: () => connections,
    open: () => sockets.size,
    sessions,
    begun: (n) => when(() => versions.length >= n),
    empty: () => when(() => sockets.size === 0),
    drop,
    close,
  }
}

/** The stream behind a response of an HTTP/2 server. */
export const streamOf = (response: ServerResponse) => (response as unknown as { stream: ServerHttp2Stream }).stream

/** Breaks a response off, as a crash of the server's handler would. */
export function breakOff(response: ServerResponse): void {
  if ('stream' in response) streamOf(response).close(2)
  else response.socket?.destroy()
}

export type OverTls = {
  readonly clock: FakeClock
  readonly upstream: LookedInto
  readonly proxy: Sidecar
  readonly url: string
  readonly settings: object
}

/** Starts a sidecar on a fake clock, before one TLS upstream, `web`, without retries. */
export async function overTls(
  t: Scope,
  protocol: Protocol,
  serve: Serve,
  settings: object = {},
  options: Options & Pick<Partial<ProxyOptions>, 'resolve'> = {},
): Promise<OverTls> {
  const { server, http2 } = PROTOCOLS[protocol]
  const upstream = await upstreamBy(t, server, serve, options)
  const clock = fakeClock()
  const web = {
    url: `https://127.0.0.1:${upstream.port}`,
    listen: '127.0.0.1:0',
    retry: { attempts: 1 },
    tls: { ca: fixture('ca.pem') },
    http2,
    ...settings,
  }
  const proxy = await startProxy(t, { clock, upstreams: { web } })
  return { clock, upstream, proxy, url: proxy.own('web'), settings: web }
}
