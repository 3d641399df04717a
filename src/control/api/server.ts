/** The control listener: API, page, metrics and probes for the operator. */

import { percentDecoded } from '../../net/percent.ts'
import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from '../../net/http.ts'
import { StoreDown } from '../../checkpoint/store.ts'
import { type Address, listenOn } from '../../net/listen.ts'
import type { Emit } from '../../events.ts'
import { hostname, isLoopback } from '../../net/loopback.ts'
import { jsonOf, piecesOf } from './json-body.ts'
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

export type ControlOptions = Address &
  ControlTerms & {
    /** Key of the configuration, for errors. */
    readonly key: 'control.listen' | 'control.metricsListen'
    readonly emit: Emit
  }

/** Parts that a reload may change. */
export type ControlTerms = {
  /** Bearer token for calls that show or change data; '' for none. Probes and metrics need none. */
  readonly token: string
  /** Largest body of a call. */
  readonly maxBodyBytes: number
  readonly operations: readonly Operation[]
}

export type Control = {
  /** Bound address, with the port that the system chose for port 0. */
  readonly address: Address
  /** Serves later calls with these terms. */
  serve(terms: ControlTerms): void
  /** Accepts no more connections, and ends the open ones after the answers under way. */
  close(): Promise<void>
}

/** Timeouts of the HTTP server. A request that is not answered yet holds nothing but its head. */
const LIMITS = {
  headersTimeout: 5_000,
  requestTimeout: 10_000,
  connectionsCheckingInterval: 1_000,
  /** Longer than the usual scrape interval of 15 s. */
  keepAliveTimeout: 20_000,
}

/** Time in ms after which a client that stopped reading is cut off. */
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
    // Errors of writing to a response that has ended or was cut.
    response.on('error', (error) => fault(error, 'stream'))
    void respond(request, response)
  })
  const respond = async (request: IncomingMessage, response: ServerResponse) => {
    const { operationsAt, guard } = current
    const gone = new AbortController()
    response.once('close', () => gone.abort())
    const reply = await answer(request, gone.signal, operationsAt, guard).catch((error: unknown) =>
      refused(error, fault),
    )
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
 * A loopback listener serves only loopback names. Otherwise a web page could reach it through a browser on this machine, by a
 * name of its own that resolves to 127.0.0.1 (DNS rebinding). Browsers name a host in every request: one without comes from
 * elsewhere, such as a load balancer's probe in HTTP/1.0.
 */
async function answer(
  request: IncomingMessage,
  gone: AbortSignal,
  operationsAt: (path: string) => readonly Matched[],
  guard: Guard,
): Promise<Reply> {
  const { host = '', authorization = '' } = request.headers
  if (guard.loopbackOnly && host !== '' && !isLoopback(hostname(host)))
    throw new Refusal(403, `the control listener does not serve the host ${host}`)
  if (isFromElsewhere(request)) throw new Refusal(403, 'calls from pages of another origin are refused')
  const target = request.url ?? ''
  // Node reads each byte as a latin-1 character. In UTF-8 they are other characters.
  if (/[^!-~]/.test(target)) throw new Refusal(400, 'the request target has bytes outside ASCII: percent-encode them')
  const [path = '', query = ''] = splitOnce(target, '?')
  const here = operationsAt(path)
  if (here.length === 0) throw new Refusal(404, `no such path: ${path}`)
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
  const answer = operation.begin({ params, query: queryOf(query), header, gone })
  if (operation.body === NO_BODY) return answer(undefined)
  const { maxBodyBytes = guard.maxBodyBytes, reads } = operation
  return answer(await (reads === 'bytes' ? piecesOf : jsonOf)(request, maxBodyBytes))
}

/**
 * Whether a page of another origin asks for a change through a browser on this machine. Without a token nothing else would stop
 * it. Browsers name the page's origin on such requests (Fetch Standard, section 3.1).
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
 * Compares digests, so that the time reveals neither content nor length (RFC 6750 section 2.1 for the field, whose bytes are
 * read as UTF-8).
 */
function holdsToken(authorization: string, token: string): boolean {
  if (token === '') return true
  const digest = (secret: Buffer) => createHash('sha256').update(secret).digest()
  const given = /^bearer +(.+)$/i.exec(authorization)?.[1] ?? ''
  return timingSafeEqual(digest(Buffer.from(given, 'latin1')), digest(Buffer.from(token)))
}

/** Answer to a call that threw: a refusal, a store that is down, or a defect of the sidecar. */
function refused(error: unknown, fault: Fault): Reply {
  if (error instanceof Refusal) return problem(error.status, error.message, error.headers, { field: error.field })
  if (error instanceof StoreDown)
    return problem(503, `the checkpoint store is down: ${error.message}`, { 'retry-after': '1' })
  fault(error)
  return problem(500, 'internal error: see the log of the sidecar')
}

const COMMON = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' }

/** @param streams bodies without an end. */
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
  // For a 304 it would be the length of a body that is not sent (RFC 9110 section 8.6).
  const length = status === 304 ? {} : { 'content-length': Buffer.byteLength(body) }
  response.writeHead(status, { ...COMMON, ...headers, ...length })
  response.end(body) // node sends no body in answer to HEAD
}

/** Unread bytes after which the reader of a stream is cut off. */
const MAX_UNREAD = 1024 * 1024

/** Cuts a stream whose source throws, since its head has already said 200. */
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
      if (response.writableLength > MAX_UNREAD) response.destroy()
      else response.write(text)
    })
  })
}

/**
 * Reads the query of a control call. `URLSearchParams` alone would replace bytes that are not UTF-8 and change the value.
 * @throws Refusal that names the parameter with bytes that are not UTF-8.
 */
function queryOf(text: string): URLSearchParams {
  const asked = new URLSearchParams(text)
  const names = [...asked.keys()]
  for (const [i, pair] of text
    .split('&')
    .filter((part) => part !== '')
    .entries()) {
    // A percent sign without an escape stands for itself.
    const escaped = pair.replaceAll(/%(?![\da-f]{2})/gi, '%25')
    const name = names[i] ?? ''
    if (percentDecoded(escaped) === undefined) throw new Refusal(400, `${name}: is not UTF-8`, name)
  }
  return asked
}
