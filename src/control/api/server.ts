/** The control listener: metrics and probes, for the operator and not for the sidecar's clients. */

import { createHash, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { StoreDown } from '../../checkpoint/store.ts'
import { type Address, listenOn } from '../../net/listen.ts'
import type { Emit } from '../../events.ts'
import { hostname, isLoopback } from '../../net/loopback.ts'
import { jsonOf } from './json-body.ts'
import {
  NO_BODY,
  compileOperations,
  type Matched,
  type Operation,
  problem,
  Refusal,
  type Reply,
  type Stream,
} from './operation.ts'
import { queryOf } from './query.ts'

export type ControlOptions = Address &
  ControlTerms & {
    /** Of the configuration, for errors. */
    readonly key: 'control.listen' | 'control.metricsListen'
    readonly emit: Emit
  }

/** What a reload may change. */
export type ControlTerms = {
  /** Bearer token for whatever shows or changes data; empty for none. The probes and the metrics ask for none. */
  readonly token: string
  /** Of a call. */
  readonly maxBodyBytes: number
  readonly operations: readonly Operation[]
}

export type Control = {
  /** As bound: with the port that the system chose for port 0. */
  readonly address: Address
  /** Calls that come from here on are served on other terms. */
  serve(terms: ControlTerms): void
  /** Takes no more connections, and ends those there are once the answers under way are delivered. */
  close(): Promise<void>
}

/** A request holds nothing but its head, so that a client which dawdles over it is none of ours. */
const LIMITS = {
  headersTimeout: 5_000,
  requestTimeout: 10_000,
  connectionsCheckingInterval: 1_000,
  /** Over the usual scrape interval of 15 s. */
  keepAliveTimeout: 20_000,
}

/** For a client that stopped reading its answer, in ms. */
const SOCKET_IDLE_MS = 30_000

/** @throws Error naming the key and the address when it cannot listen there. */
export async function startControl(options: ControlOptions): Promise<Control> {
  const server = createServer(LIMITS)
  server.timeout = SOCKET_IDLE_MS
  const address = await listenOn(server, options.key, options)
  const fault: Fault = (error, where = 'control') => options.emit({ kind: 'fault', error, where })
  const loopbackOnly = isLoopback(address.host)
  const served = ({ token, maxBodyBytes, operations }: ControlTerms) => ({
    operationsAt: compileOperations(operations),
    guard: { loopbackOnly, token, maxBodyBytes },
  })
  let current = served(options)
  const streams = new Set<ServerResponse>()
  let answering = 0
  const hangUpWhenDone = () => {
    if (!server.listening && answering === 0) server.closeAllConnections()
  }
  server.on('error', (error) => fault(error))
  server.on('request', (request, response) => {
    answering += 1
    response.once('close', () => {
      answering -= 1
      hangUpWhenDone()
    })
    // For what is written to a response that has ended or was cut.
    response.on('error', (error) => fault(error, 'stream'))
    void respond(request, response)
  })
  const respond = async (request: IncomingMessage, response: ServerResponse) => {
    const { operationsAt, guard } = current
    const reply = await answer(request, operationsAt, guard).catch((error: unknown) => refused(error, fault))
    try {
      send(response, reply, streams, fault)
    } catch (error) {
      if (response.headersSent) response.destroy()
      else send(response, refused(error, fault), streams, fault)
    }
    if (!request.complete) request.resume()
  }
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve())
      for (const stream of streams) stream.end()
      hangUpWhenDone()
    })
  const serve = (terms: ControlTerms) => {
    current = served(terms)
  }
  return { address, serve, close }
}

type Fault = (error: unknown, where?: 'control' | 'stream') => void

type Guard = { readonly loopbackOnly: boolean; readonly token: string; readonly maxBodyBytes: number }

/**
 * A listener for this machine alone takes requests for this machine's names alone. Otherwise a web page could reach it
 * through the browser of whoever works here: its own name, pointed at 127.0.0.1 (DNS rebinding).
 */
async function answer(
  request: IncomingMessage,
  operationsAt: (path: string) => readonly Matched[],
  guard: Guard,
): Promise<Reply> {
  const { host = '', authorization = '' } = request.headers
  if (guard.loopbackOnly && !isLoopback(hostname(host)))
    throw new Refusal(403, `the control listener does not serve the host ${host}`)
  if (isFromElsewhere(request)) throw new Refusal(403, 'calls from pages of another origin are refused')
  const target = request.url ?? ''
  // Node reads each byte as a character of latin-1: in UTF-8 they are others.
  if (/[^!-~]/.test(target)) throw new Refusal(400, 'the request target has bytes outside ASCII: percent-encode them')
  const [path = '', query = ''] = splitOnce(target, '?')
  const here = operationsAt(path)
  if (here.length === 0) throw new Refusal(404, `there is nothing at ${path}`)
  const method = request.method === 'HEAD' ? 'GET' : request.method
  const matched = here.find(({ operation }) => operation.method === method)
  if (matched === undefined) throw notAllowed(path, here)
  const { operation, params } = matched
  if (!operation.open && !holdsToken(authorization, guard.token)) {
    throw new Refusal(401, `${path} needs the token of control.token`, undefined, { 'www-authenticate': 'Bearer' })
  }
  const header = (name: string) => {
    const value = request.headers[name]
    return Array.isArray(value) ? value.join(', ') : value
  }
  const answer = operation.begin({ params, query: queryOf(query), header })
  return answer(operation.body === NO_BODY ? undefined : await jsonOf(request, guard.maxBodyBytes))
}

/**
 * A change that a page of another origin asks for through the browser of whoever works here: without a token nothing else
 * would keep it out. Browsers name the page's origin on each such request (Fetch Standard, section 3.1).
 */
function isFromElsewhere({ method = '', headers: { origin, host } }: IncomingMessage): boolean {
  return origin !== undefined && !/^(?:GET|HEAD)$/.test(method) && URL.parse(origin)?.host !== host
}

function notAllowed(path: string, here: readonly Matched[]): Refusal {
  const methods = here.flatMap(({ operation }) => (operation.method === 'GET' ? ['GET', 'HEAD'] : [operation.method]))
  return new Refusal(405, `${path} allows ${methods.join(', ')}`, undefined, { allow: methods.join(', ') })
}

function splitOnce(whole: string, separator: string): string[] {
  const at = whole.indexOf(separator)
  return at < 0 ? [whole] : [whole.slice(0, at), whole.slice(at + 1)]
}

/**
 * Compares digests, so that the time taken tells neither content nor length (RFC 6750 section 2.1 for the field, whose bytes
 * are taken for UTF-8).
 */
function holdsToken(authorization: string, token: string): boolean {
  if (token === '') return true
  const digest = (secret: Buffer) => createHash('sha256').update(secret).digest()
  const given = /^bearer +(.+)$/i.exec(authorization)?.[1] ?? ''
  return timingSafeEqual(digest(Buffer.from(given, 'latin1')), digest(Buffer.from(token)))
}

/** What a call that came to no answer is told: its own fault, the store's, or ours. */
function refused(error: unknown, fault: Fault): Reply {
  if (error instanceof Refusal) return problem(error.status, error.message, error.headers, { field: error.field })
  if (error instanceof StoreDown)
    return problem(503, `the checkpoint store is down: ${error.message}`, { 'retry-after': '1' })
  fault(error)
  return problem(500, 'a fault inside the sidecar; its log tells more')
}

const COMMON = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' }

/** @param streams those that have no end of their own. */
function send(
  response: ServerResponse,
  { status, headers, body }: Reply,
  streams: Set<ServerResponse>,
  fault: Fault,
): void {
  if (typeof body === 'function') {
    response.writeHead(status, { ...COMMON, ...headers })
    return response.req.method === 'HEAD' ? void response.end() : flow(response, body, streams, fault)
  }
  // Of a 304 it would be the length of what is not sent again (RFC 9110 section 8.6).
  const length = status === 304 ? {} : { 'content-length': Buffer.byteLength(body) }
  response.writeHead(status, { ...COMMON, ...headers, ...length })
  response.end(body) // node sends no body in answer to HEAD
}

/** What a reader of a stream may leave unread, in bytes: one that reads no more is cut off. */
const MOST_UNREAD = 1024 * 1024

/** A stream whose source throws is cut: its head says that all is well. */
function flow(response: ServerResponse, stream: Stream, streams: Set<ServerResponse>, fault: Fault): void {
  streams.add(response)
  const guarded = (act: () => void) => {
    try {
      act()
    } catch (error) {
      fault(error, 'stream')
      response.destroy()
    }
  }
  let stop: (() => void) | undefined
  response.once('close', () => {
    streams.delete(response)
    if (stop !== undefined) guarded(stop)
  })
  guarded(() => {
    stop = stream((text) => {
      if (response.writableEnded || response.destroyed) return
      if (response.writableLength > MOST_UNREAD) response.destroy()
      else response.write(text)
    })
  })
}
