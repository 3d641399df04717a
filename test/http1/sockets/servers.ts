/** The two servers that are compared: the sidecar's connection of a client, and node:http's server. */

import { createServer as createNodeServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer, type Server, type Socket } from 'node:net'
import { systemClock } from '../../../src/clock.ts'
import type { MessageFault } from '../../../src/http1/head.ts'
import { ServerConnection } from '../../../src/http1/server-connection.ts'
import type { ServerRequest } from '../../../src/http1/server-request.ts'
import { isOldUpgrade, LIMITS, type Message, messageOf } from '../messages.ts'

/** What a server read on one connection. */
export type Read = {
  readonly messages: Message[]
  error: string
  /** Method of what it answered with 400; '' for none that it could read, undefined without such an answer. */
  refusedMethod: string | undefined
  socket: Socket | undefined
}

/** A server that answers each request with 200 once it is whole, and what is none with 400. */
export type TestServer = { readonly server: Server; readonly begin: () => Read }

const BODY = 'ok'
const FIELDS = ['content-length', String(BODY.length)]
const LIMIT_MS = 60_000

export function sidecarServer(): TestServer {
  let read: Read = nothing()
  const connections = { ...LIMITS, headMs: LIMIT_MS, idleMs: LIMIT_MS, lingerMs: LIMIT_MS }
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    const into = read
    into.socket = socket
    const handler = {
      begin: (request: ServerRequest) => readRequest(request, into),
      refuse: (request: ServerRequest, fault: MessageFault | 'head_timeout') => {
        into.error = typeof fault === 'string' ? fault : `${fault.kind}: ${fault.detail}`
        into.refusedMethod = request.head.method
        answer(request, 400)
      },
      closed: () => {},
      lost: (error: unknown) => {
        into.error = `a defect: ${String(error)}`
      },
    }
    new ServerConnection(socket, connections, handler, systemClock)
  })
  return { server, begin: () => (read = nothing()) }
}

const nothing = (): Read => ({ messages: [], error: '', refusedMethod: undefined, socket: undefined })

function answer(request: ServerRequest, status: number): void {
  request.writeHead(status, undefined, FIELDS, request.head.method === 'HEAD' ? 'none' : 'length')
  request.end(BODY, [])
}

function readRequest(request: ServerRequest, into: Read): void {
  const { head } = request
  const message: Message = {
    ...messageOf(head.method, head.target, head),
    // node:http reads nothing behind an offer of an upgrade, also where it serves the request as a plain one.
    isLast: !head.keepAlive || head.method === 'CONNECT' || head.upgrade !== '' || isOldUpgrade(head),
  }
  into.messages.push(message)
  request.owner = {
    closed: () => {},
    spoilt: (fault) => {
      into.error = `${fault.kind}: ${fault.detail}`
      if (fault.kind === 'incomplete') return void request.socket.destroy()
      into.refusedMethod = head.method
      answer(request, 400)
    },
  }
  request.read({
    data: (chunk) => {
      message.body += chunk.toString('latin1')
    },
    end: () => {
      message.isWhole = true
      if (message.start === 'CONNECT') request.isLast = true
      answer(request, 200)
    },
    broke: () => {},
  })
}

export function nodeServer(): TestServer {
  let read: Read = nothing()
  const server = createNodeServer({ maxHeaderSize: LIMITS.maxHeadBytes, noDelay: true })
  server.on('connection', (socket) => {
    read.socket = socket
  })
  const take = (request: IncomingMessage, response: ServerResponse) => {
    const message = nodeMessage(request, response.shouldKeepAlive)
    read.messages.push(message)
    request.on('data', (chunk: Buffer) => {
      message.body += chunk.toString('latin1')
    })
    request.on('error', () => {})
    request.on('end', () => {
      if (!request.complete) return
      message.isWhole = true
      response.sendDate = true
      response.writeHead(200, FIELDS).end(BODY)
    })
  }
  server.on('request', take).on('checkExpectation', take)
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    // Without it node:http takes the connection for lost.
    response.writeContinue()
    take(request, response)
  })
  server.on('connect', (request: IncomingMessage, socket) => {
    read.messages.push({ ...nodeMessage(request, false), isWhole: true })
    socket
      .on('error', () => {})
      .resume()
      .end()
  })
  server.on('clientError', (error: Error & { readonly code?: string }, socket) => {
    if (error.code !== 'ECONNRESET') read.error ||= error.code ?? error.message
    socket.destroy()
  })
  return { server, begin: () => (read = nothing()) }
}

const nodeMessage = ({ method, url, httpVersionMinor, rawHeaders }: IncomingMessage, keepAlive: boolean): Message => ({
  start: method ?? '',
  target: url ?? '',
  minor: httpVersionMinor,
  headers: rawHeaders,
  body: '',
  trailers: [],
  keepAlive,
  isWhole: false,
  isLast: false,
})
