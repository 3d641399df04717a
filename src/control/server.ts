/** The control listener: metrics and probes, for the operator and not for the sidecar's clients. */

import { createHash, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, STATUS_CODES, type ServerResponse } from 'node:http'
import { type Address, listenOn, written } from '../listen.ts'
import type { Emit } from '../policy/events.ts'
import { hostname, isLoopback } from './loopback.ts'
import type { Metrics } from './metrics.ts'

export type ControlOptions = Address & {
  /** Bearer token for whatever shows or changes data; empty for none. The probes ask for none. */
  readonly token: string
  readonly metrics: Pick<Metrics, 'scrape' | 'contentType'>
  /** Whether the sidecar takes traffic, and what is missing when it does not. */
  readonly ready: () => { readonly ready: boolean; readonly why: readonly string[] }
  readonly emit: Emit
}

export type Control = {
  /** As bound: with the port that the system chose for port 0. */
  readonly address: Address
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

/** @throws Error naming `control.listen` and the address when it cannot listen there. */
export async function startControl(options: ControlOptions): Promise<Control> {
  const server = createServer(LIMITS)
  server.timeout = SOCKET_IDLE_MS
  const address = await listenOn(server, 'control.listen', options)
  const fault = (error: unknown) => options.emit({ kind: 'fault', error, where: 'control' })
  const guard: Guard = { loopbackOnly: isLoopback(address.host), token: options.token }
  const routes = routesOf(options)
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
    void answer(request, routes, guard)
      .catch((error: unknown) => {
        fault(error)
        return problem(500, 'a fault inside the sidecar; its log tells more')
      })
      .then((reply) => send(response, reply))
  })
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve())
      hangUpWhenDone()
    })
  return { address, close }
}

/** @throws Error when more than this machine can reach the control listener and it asks for no token. */
export function assertControlExposure(address: Address, token: string): void {
  if (token !== '' || isLoopback(address.host)) return
  throw new Error(`control.listen ${written(address)} is not loopback: set control.token`)
}

type Reply = { readonly status: number; readonly headers: Readonly<Record<string, string>>; readonly body: string }

type Route = {
  /** Answers whoever asks, token or not. */
  readonly open: boolean
  readonly answer: () => Reply | Promise<Reply>
}

function routesOf({ metrics, ready }: ControlOptions): ReadonlyMap<string, Route> {
  return new Map<string, Route>([
    ['/metrics', { open: false, answer: async () => text(await metrics.scrape(), metrics.contentType) }],
    ['/livez', { open: true, answer: () => text('ok\n') }],
    [
      '/readyz',
      {
        open: true,
        answer: () => {
          const state = ready()
          return state.ready ? text('ok\n') : problem(503, state.why.join(', '))
        },
      },
    ],
  ])
}

type Guard = { readonly loopbackOnly: boolean; readonly token: string }

/**
 * A listener for this machine alone takes requests for this machine's names alone. Otherwise a web page could reach it
 * through the browser of whoever works here: its own name, pointed at 127.0.0.1 (DNS rebinding).
 */
async function answer(request: IncomingMessage, routes: ReadonlyMap<string, Route>, guard: Guard): Promise<Reply> {
  const { host = '', authorization = '' } = request.headers
  if (guard.loopbackOnly && !isLoopback(hostname(host))) return problem(403, `not for host ${host}`)
  const path = (request.url ?? '').replace(/\?.*$/s, '')
  const route = routes.get(path)
  if (route === undefined) return problem(404, `nothing at ${path}`)
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return problem(405, `${path} takes GET and HEAD`, { allow: 'GET, HEAD' })
  }
  if (!route.open && !holdsToken(authorization, guard.token)) {
    return problem(401, `${path} needs the token of control.token`, { 'www-authenticate': 'Bearer' })
  }
  return route.answer()
}

/** Compares digests, so that the time taken tells neither content nor length (RFC 6750 section 2.1 for the field). */
function holdsToken(authorization: string, token: string): boolean {
  if (token === '') return true
  const digest = (secret: string) => createHash('sha256').update(secret).digest()
  return timingSafeEqual(digest(/^bearer +(.+)$/i.exec(authorization)?.[1] ?? ''), digest(token))
}

const text = (body: string, type = 'text/plain; charset=utf-8'): Reply => ({
  status: 200,
  headers: { 'content-type': type },
  body,
})

/** RFC 9457; with no type of its own, the title is the status's. */
const problem = (status: number, detail: string, headers: Readonly<Record<string, string>> = {}): Reply => ({
  status,
  headers: { ...headers, 'content-type': 'application/problem+json' },
  body: `${JSON.stringify({ type: 'about:blank', title: STATUS_CODES[status], status, detail })}\n`,
})

function send(response: ServerResponse, { status, headers, body }: Reply): void {
  response.writeHead(status, {
    ...headers,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  })
  response.end(body) // node sends no body in answer to HEAD
}
