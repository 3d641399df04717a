/** The control listener: metrics and probes, for the operator and not for the sidecar's clients. */

import { createHash, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { StoreDown } from '../checkpoint/store.ts'
import { type Address, listenOn } from '../listen.ts'
import type { Emit } from '../policy/events.ts'
import { hostname, isLoopback } from '../loopback.ts'
import {
  checked,
  compileOperations,
  type Matched,
  type Operation,
  problem,
  Refusal,
  type Reply,
  type Stream,
} from './operation.ts'

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
  const fault = (error: unknown) => options.emit({ kind: 'fault', error, where: 'control' })
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
  server.on('error', fault)
  server.on('request', (request, response) => {
    answering += 1
    response.once('close', () => {
      answering -= 1
      hangUpWhenDone()
    })
    void answer(request, current.operationsAt, current.guard)
      .catch((error: unknown) => refused(error, fault))
      .then((reply) => {
        send(response, reply, streams)
        if (!request.complete) request.resume()
      })
  })
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
  if (guard.loopbackOnly && !isLoopback(hostname(host))) throw new Refusal(403, `not for host ${host}`)
  if (isFromElsewhere(request)) throw new Refusal(403, 'not for pages of another origin')
  const [path = '', query = ''] = splitOnce(request.url ?? '', '?')
  const here = operationsAt(path)
  if (here.length === 0) throw new Refusal(404, `nothing at ${path}`)
  const method = request.method === 'HEAD' ? 'GET' : request.method
  const matched = here.find(({ operation }) => operation.method === method)
  if (matched === undefined) throw notAllowed(path, here)
  const { operation, params } = matched
  if (!operation.open && !holdsToken(authorization, guard.token)) {
    throw new Refusal(401, `${path} needs the token of control.token`, undefined, { 'www-authenticate': 'Bearer' })
  }
  const asked = new URLSearchParams(query)
  for (const [name, schema] of Object.entries(operation.params)) checked(schema, params[name], name)
  for (const [name, schema] of Object.entries(operation.query)) checked(schema, asked.get(name) ?? undefined, name)
  const body =
    operation.body === undefined ? undefined : checked(operation.body, await jsonOf(request, guard.maxBodyBytes))
  const header = (name: string) => {
    const value = request.headers[name]
    return Array.isArray(value) ? value.join(', ') : value
  }
  return operation.answer({ params, query: asked, header, body })
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
  return new Refusal(405, `${path} takes ${methods.join(', ')}`, undefined, { allow: methods.join(', ') })
}

function splitOnce(whole: string, separator: string): string[] {
  const at = whole.indexOf(separator)
  return at < 0 ? [whole] : [whole.slice(0, at), whole.slice(at + 1)]
}

/** @throws Refusal when it is too large or no JSON. */
async function jsonOf(request: IncomingMessage, maxBytes: number): Promise<unknown> {
  const tooLarge = () => new Refusal(413, `the body is larger than ${maxBytes} bytes`)
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw tooLarge()
  const chunks: Buffer[] = []
  let bytes = 0
  await new Promise<void>((resolve, reject) => {
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes <= maxBytes) chunks.push(chunk)
      else reject(tooLarge())
    })
    request.on('end', resolve)
    request.on('close', () => {
      if (!request.complete) reject(new Refusal(400, 'the body ended early'))
    })
  })
  try {
    return JSON.parse(Buffer.concat(chunks).toString())
  } catch (error) {
    throw new Refusal(400, `the body is not JSON: ${error instanceof Error ? error.message : error}`)
  }
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
function refused(error: unknown, fault: (error: unknown) => void): Reply {
  if (error instanceof Refusal) return problem(error.status, error.message, error.headers, { field: error.field })
  if (error instanceof StoreDown)
    return problem(503, `the checkpoint store is down: ${error.message}`, { 'retry-after': '1' })
  fault(error)
  return problem(500, 'a fault inside the sidecar; its log tells more')
}

const COMMON = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' }

/** @param streams those that have no end of their own. */
function send(response: ServerResponse, { status, headers, body }: Reply, streams: Set<ServerResponse>): void {
  if (typeof body === 'function') {
    response.writeHead(status, { ...COMMON, ...headers })
    return response.req.method === 'HEAD' ? void response.end() : flow(response, body, streams)
  }
  // Of a 304 it would be the length of what is not sent again (RFC 9110 section 8.6).
  const length = status === 304 ? {} : { 'content-length': Buffer.byteLength(body) }
  response.writeHead(status, { ...COMMON, ...headers, ...length })
  response.end(body) // node sends no body in answer to HEAD
}

/** What a reader of a stream may leave unread, in bytes: one that reads no more is cut off. */
const MOST_UNREAD = 1024 * 1024

function flow(response: ServerResponse, stream: Stream, streams: Set<ServerResponse>): void {
  streams.add(response)
  const stop = stream((text) => {
    if (response.writableLength > MOST_UNREAD) response.destroy()
    else response.write(text)
  })
  response.once('close', () => {
    streams.delete(response)
    stop()
  })
}
