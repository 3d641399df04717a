import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Clock } from '../../src/clock.ts'

/** Takes the clean-ups of a test: the test's context, or an object of one property run. */
export type Scope = { onTestFinished(cleanUp: () => unknown): void }

/** What the upstream does with one request, after it has read it whole unless the scene says otherwise. */
export type Scene =
  | {
      readonly status?: number
      readonly statusText?: string
      readonly headers?: Readonly<Record<string, string | string[]>> | readonly string[]
      /** Several parts are written one by one. */
      readonly body?: string | Buffer | readonly (string | Buffer)[]
      readonly trailers?: Readonly<Record<string, string>>
      /** Answers without reading the request's body. */
      readonly early?: boolean
    }
  /** Reads the request and never answers. */
  | 'hang'
  /** Resets the connection once the request is read. */
  | 'reset'
  /** Closes the connection cleanly once the request is read. */
  | 'close'
  /** Handles the request itself, from its head on. */
  | ((request: IncomingMessage, response: ServerResponse) => void)

type Arrival = {
  readonly method: string
  readonly target: string
  readonly rawHeaders: readonly string[]
  readonly headers: IncomingMessage['headers']
  /** The bytes received, also when the request broke off. */
  readonly body: Buffer
  /** When the request's head arrived, in ms of the sidecar's clock. */
  readonly at: number
  /** Whether the request was received whole. */
  readonly whole: boolean
}

export type ScriptedUpstream = {
  readonly origin: string
  readonly port: number
  /** Requests in order of arrival. */
  readonly arrivals: readonly Arrival[]
  /** Requests that have begun so far. */
  readonly count: () => number
  /** TCP connections so far. */
  readonly connections: () => number
  /** Connections open now. */
  readonly openSockets: () => number
  /** Resolves when the head of the n-th request (from 1) has been received. */
  begun(n: number): Promise<void>
  /** Resolves when the n-th request (from 1) has been received: whole, or broken off. */
  arrival(n: number): Promise<Arrival>
  /** Resolves when the n-th request's connection has been closed. */
  gone(n: number): Promise<void>
  /** Closes the open connections, and goes on serving. */
  dropConnections(): void
  close(): Promise<void>
}

/** An HTTP upstream on a real socket. It plays one scene for each request, and the last one for all later requests. */
export async function scriptedUpstream(
  t: Scope,
  clock: Clock,
  scenes: readonly Scene[],
  port = 0,
  host = '127.0.0.1',
): Promise<ScriptedUpstream> {
  const arrivals: Arrival[] = []
  const begun = gates<void>()
  const received = gates<Arrival>()
  const left = gates<void>()
  const sockets = new Set<Socket>()
  let connections = 0
  let count = 0
  const server = createServer({ keepAliveTimeout: 0, requestTimeout: 0 }, (request, response) => {
    count += 1
    const n = count
    const scene = scenes[Math.min(n, scenes.length) - 1] ?? {}
    const at = clock.now()
    begun.open(n, undefined)
    const chunks: Buffer[] = []
    request.socket.once('close', () => left.open(n, undefined))
    const arrived = (whole: boolean) => {
      if (arrivals[n - 1] !== undefined) return
      const { method = '', url: target = '', rawHeaders, headers } = request
      const arrival = { method, target, rawHeaders, headers, body: Buffer.concat(chunks), at, whole }
      arrivals[n - 1] = arrival
      received.open(n, arrival)
    }
    const reads = typeof scene !== 'object' || scene.early !== true
    request.on('error', () => arrived(false))
    request.on('close', () => arrived(request.complete && reads))
    if (typeof scene === 'function') {
      request.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', () => arrived(true))
      return scene(request, response)
    }
    if (!reads) return play(scene, request, response)
    request
      .on('data', (chunk: Buffer) => chunks.push(chunk))
      .on('end', () => {
        arrived(true)
        play(scene, request, response)
      })
  })
  server.on('checkContinue', (request, response) => {
    response.writeContinue()
    server.emit('request', request, response)
  })
  server.on('connection', (socket) => {
    connections += 1
    sockets.add(socket)
    // Each request adds a listener to its socket.
    socket.setMaxListeners(0)
    socket.on('error', () => socket.destroy())
    socket.once('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(port, host, resolve))
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve())
      for (const socket of sockets) socket.destroy()
    })
  t.onTestFinished(close)
  const { port: bound } = server.address() as AddressInfo
  return {
    origin: `http://${host}:${bound}`,
    port: bound,
    arrivals,
    count: () => count,
    connections: () => connections,
    openSockets: () => sockets.size,
    begun: begun.passed,
    arrival: received.passed,
    gone: left.passed,
    dropConnections: () => {
      for (const socket of sockets) socket.destroy()
    },
    close,
  }
}

function play(
  scene: Exclude<Scene, (...args: never) => void>,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  if (scene === 'hang') return
  if (scene === 'reset') return void request.socket.resetAndDestroy()
  if (scene === 'close') return void request.socket.end()
  const { status = 200, statusText, headers = {}, body = '', trailers } = scene
  if (statusText === undefined) response.writeHead(status, headers as Record<string, string>)
  else response.writeHead(status, statusText, headers as Record<string, string>)
  // As bytes: Node would write the head together with a string body, in the body's encoding.
  for (const part of Array.isArray(body) ? body : [body]) response.write(Buffer.from(part))
  if (trailers !== undefined) response.addTrailers(trailers)
  response.end()
}

/** Numbered gates: `passed(n)` resolves once `open(n)` is called, before or after it. */
function gates<T>() {
  const all = new Map<number, { promise: Promise<T>; resolve: (value: T) => void }>()
  const gate = (n: number) => {
    const known = all.get(n)
    if (known !== undefined) return known
    const fresh = Promise.withResolvers<T>()
    all.set(n, fresh)
    return fresh
  }
  return {
    open: (n: number, value: T) => gate(n).resolve(value),
    passed: (n: number) => gate(n).promise,
  }
}
