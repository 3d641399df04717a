/** The three clients that are compared: the sidecar's connection to an upstream, undici's client and node:http's. */

import { Agent, type IncomingMessage, request as nodeRequest } from 'node:http'
import { connect, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { Client } from 'undici'
import { systemClock } from '../../../src/clock.ts'
import { ClientConnection } from '../../../src/http1/client-connection.ts'
import { MessageFault } from '../../../src/http1/head.ts'
import { LIMITS } from '../messages.ts'

/** What a client was told of one exchange, so far. Texts are latin1. */
export type Told = {
  interim: string[]
  status: string
  reason: string
  headers: readonly string[]
  body: string
  trailers: readonly string[]
  ending: 'open' | 'whole' | 'failed' | 'switched'
  error: string
}

/** @property over resolved with the ending, before the event loop goes on. */
type Telling = { readonly told: Told; readonly over: Promise<void>; readonly resolve: () => void }

export type Asked = {
  readonly method: string
  /** Protocol to upgrade to; '' for none. */
  readonly upgrade: string
}

export type TestClient = {
  /** Sends a request without content. Call only when the one before it is over. */
  readonly ask: (asked: Asked) => Telling
  /** Its sockets by their local port. */
  readonly sockets: ReadonlyMap<number, Socket>
}

function telling(): Telling {
  const { promise: over, resolve } = Promise.withResolvers<void>()
  const texts = { interim: [], status: '', reason: '', headers: [], body: '', trailers: [], error: '' }
  return { told: { ...texts, ending: 'open' }, over, resolve }
}

function end({ told, resolve }: Telling, ending: Told['ending'], error = ''): void {
  if (told.ending !== 'open') return
  Object.assign(told, { ending, error })
  resolve()
}

const fail = (exchange: Telling, error: string) => end(exchange, 'failed', error)

function finish(exchange: Telling, trailers: readonly string[]): void {
  exchange.told.trailers = trailers
  end(exchange, 'whole')
}

/** Reads a tunnel as if it were content. */
function readTunnel(exchange: Telling, socket: Duplex, head: Buffer): void {
  const { told } = exchange
  told.body = head.toString('latin1')
  end(exchange, 'switched')
  socket.on('data', (chunk: Buffer) => {
    told.body += chunk.toString('latin1')
  })
  socket.on('error', () => {})
  socket.resume()
}

const opened = (sockets: Map<number, Socket>, port: number): Socket => {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true })
  return socket.once('connect', () => void sockets.set(socket.localPort ?? 0, socket))
}

export function sidecarClient(port: number): TestClient {
  const sockets = new Map<number, Socket>()
  const owner = {
    limits: () => LIMITS,
    connect: (onConnected: () => void) => opened(sockets, port).once('connect', onConnected),
    onFree: () => {},
    onLost: () => {},
  }
  const connection = new ClientConnection(owner, systemClock)
  const ask = ({ method, upgrade }: Asked) => {
    const exchange = telling()
    const { told } = exchange
    const request = { method, target: '/', host: 'a', headers: [], upgrade: upgrade || undefined, body: undefined }
    connection.send(request, {
      started: () => {},
      bodySent: () => {},
      requestSent: () => {},
      interim: ({ status }) => told.interim.push(String(status)),
      head: ({ status, statusText, headers }) =>
        Object.assign(told, { status: String(status), reason: statusText, headers }),
      switched: ({ status, statusText, headers }, socket) => {
        Object.assign(told, { status: String(status), reason: statusText, headers })
        readTunnel(exchange, socket, Buffer.alloc(0))
      },
      data: (chunk) => {
        told.body += chunk.toString('latin1')
      },
      end: (trailers) => finish(exchange, trailers),
      failed: (error) =>
        fail(exchange, error instanceof MessageFault ? `${error.kind}: ${error.detail}` : `reset: ${error.message}`),
      unreadable: () => {},
      lost: (error) => fail(exchange, `a defect: ${String(error)}`),
    })
    return exchange
  }
  return { ask, sockets }
}

export function undiciClient(port: number): TestClient {
  const sockets = new Map<number, Socket>()
  const client = new Client(`http://127.0.0.1:${port}`, {
    headersTimeout: 0,
    bodyTimeout: 0,
    maxHeaderSize: LIMITS.maxHeadBytes,
    connect: (_, connected) => {
      const socket = opened(sockets, port)
      socket.once('connect', () => connected(null, socket)).once('error', (error) => connected(error, null))
    },
  })
  const ask = ({ method, upgrade }: Asked) => {
    const exchange = telling()
    const { told } = exchange
    const options = { path: '/', method: method as 'GET', ...(upgrade === '' ? {} : { upgrade }) }
    client.dispatch(options, {
      onRequestStart: () => {},
      onResponseStart: (controller, status, _, reason) => {
        if (status < 200) return void told.interim.push(String(status))
        Object.assign(told, { status: String(status), reason: reason ?? '', headers: rawOf(controller.rawHeaders) })
      },
      onRequestUpgrade: (controller, status, _, socket) => {
        Object.assign(told, { status: String(status), headers: rawOf(controller.rawHeaders) })
        readTunnel(exchange, socket, Buffer.alloc(0))
      },
      onResponseData: (_, chunk) => {
        told.body += chunk.toString('latin1')
      },
      onResponseEnd: (controller) => finish(exchange, rawOf(controller.rawTrailers)),
      onResponseError: (_, error) => fail(exchange, `${error.name}: ${error.message}`),
    })
    return exchange
  }
  return { ask, sockets }
}

const rawOf = (raw: unknown): string[] =>
  Array.isArray(raw)
    ? raw.map((part: Buffer | string) => (typeof part === 'string' ? part : part.toString('latin1')))
    : []

export function nodeClient(port: number): TestClient {
  const sockets = new Map<number, Socket>()
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  agent.createConnection = () => opened(sockets, port)
  const ask = ({ method, upgrade }: Asked) => {
    const exchange = telling()
    const { told } = exchange
    const headers = upgrade === '' ? {} : { connection: 'upgrade', upgrade }
    const request = nodeRequest({ port, agent, method, path: '/', headers, maxHeaderSize: LIMITS.maxHeadBytes })
    request.on('information', ({ statusCode }) => told.interim.push(String(statusCode)))
    const begin = ({ statusCode, statusMessage, rawHeaders }: IncomingMessage) =>
      Object.assign(told, { status: String(statusCode), reason: statusMessage ?? '', headers: rawHeaders })
    request.on('response', (response) => {
      begin(response)
      response.on('data', (chunk: Buffer) => {
        told.body += chunk.toString('latin1')
      })
      response.on('error', (error) => fail(exchange, error.message))
      response.on('end', () => {
        if (response.complete) finish(exchange, response.rawTrailers)
      })
      response.on('close', () => fail(exchange, 'the response is not complete'))
    })
    if (upgrade !== '')
      request.on('upgrade', (response, socket, head) => {
        begin(response)
        readTunnel(exchange, socket, head)
      })
    request.on('error', (error: Error & { readonly code?: string }) => fail(exchange, error.code ?? error.message))
    request.on('close', () => {
      // A response that is whole tells so in its own events, which may come later.
      if (told.status === '') fail(exchange, 'the request is closed')
    })
    request.end()
    return exchange
  }
  return { ask, sockets }
}
