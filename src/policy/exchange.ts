/** What the policies speak of: one request of a client, the reply it gets, and how policies are put together. */

import type { Duplex, Readable } from 'node:stream'
import type { FaultCode } from '../errors.ts'
import type { AttemptRecord, BodyEnd, RouteRef, Trace } from '../events.ts'
import type { RawHeaders } from '../net/fields.ts'
import type { Inputs } from '../job/timeouts.ts'
import type { JobWatch } from './failure-when/rule.ts'

/** The request body, kept so far as the limits allow, so that each attempt can send it from its first byte. */
export type RequestBody = {
  /**
   * The whole body without taking it from anybody; waits for its end.
   * @param onProgress called with each part that arrives.
   * @returns undefined when it is larger than that, of unknown length, or not kept in memory.
   */
  peek(limitBytes: number, onProgress?: () => void): Promise<Buffer | undefined>
  /** Whether a further attempt could send every byte from the first; false once the limits are exceeded. */
  readonly replayable: boolean
  /** Whether the client has sent the last byte. */
  readonly complete: boolean
  /** Whether the reader of this moment waits for the client rather than the upstream. */
  readonly starved: boolean
  /** Bytes that the client has sent so far. */
  readonly received: number
  /** A stream of the whole body from its first byte. Ends the one opened before, which must not be in use any more. */
  open(): Readable
  /** No attempt will follow: what was kept for one is dropped. */
  commit(): void
}

/** All in ms. */
export type Timeouts = {
  readonly connectMs: number
  /** One attempt, from the end of its request to its response head. */
  readonly attemptMs: number
  /** All attempts and waits, from the request's arrival to the response head. */
  readonly totalMs: number
  /** Between two chunks of a body, either way. */
  readonly idleMs: number
}

/** What a client's request brings to its exchange. */
export type ExchangeRequest = {
  readonly id: string
  readonly method: string
  /** The path as the client sent it, without the query. */
  readonly path: string
  /** Origin-form target for the upstream, byte for byte as the client sent it, its prefix gone. */
  readonly target: string
  /** For the upstream: end-to-end fields only, without Host. */
  readonly headers: string[]
  /** undefined when the request has none. */
  readonly body: RequestBody | undefined
  /** The protocol asked for by an upgrade request, e.g. `websocket`. */
  readonly upgrade: string | undefined
  readonly hasIdempotencyKey: boolean
  /** Monotonic ms of its arrival. */
  readonly startedAt: number
  /** The most that the client allows for the response head, in ms; undefined when it does not say. */
  readonly clientTimeoutMs: number | undefined
  /** Monotonic ms by which the job that it belongs to must be done; undefined when it belongs to none. */
  readonly jobDeadlineAt: number | undefined
  readonly timeouts: Timeouts
  readonly client: ClientLink
  /** undefined unless the request is recorded: then each attempt has a `traceparent` of its own. */
  readonly trace: Trace | undefined
}

/** What a route brings to the exchanges of its requests. */
export type ExchangeRoute = {
  readonly ref: RouteRef
  /** Whether the route says that its requests may be repeated. */
  readonly idempotent: boolean
  /** Methods, upper case, whose requests may be repeated. */
  readonly idempotentMethods: ReadonlySet<string>
  /** What the route watches jobs by; undefined when it does not. */
  readonly jobs: JobWatch | undefined
}

/** What a route's settings say of its exchanges, beside what its layers do. */
export type RouteTraits = Omit<ExchangeRoute, 'ref'> & {
  /** Bytes of a request body that are kept for a retry. */
  readonly bodyLimits: { readonly memory: number; readonly disk: number }
  /** A function where they are computed from the inputs of the job. */
  readonly timeouts: Timeouts | ((inputs: Inputs) => Timeouts)
  /** A tunnel without a byte ends after this, in ms. */
  readonly tunnelMs: number
}

/** ms spent in each kind of wait. */
type Spent = { queueMs: number; backoffMs: number; connectMs: number }

/**
 * One request on its way through the policies, or one call made on behalf of it or of several (a fork). Made by
 * `newExchange` and `fork` alone. The fields below the line are the policies' to set.
 */
export type Exchange = Omit<ExchangeRequest, 'hasIdempotencyKey' | 'timeouts'> & {
  readonly route: RouteRef
  readonly jobs: JobWatch | undefined
  /** Whether a repetition is harmless whatever the outcome: by its method, its route or an Idempotency-Key. */
  readonly idempotent: boolean
  /** Attempts made before this call was forked, by its parent and its siblings; 0 for a client's own request. */
  readonly attemptsBefore: number
  // ————
  timeouts: Timeouts
  /** Monotonic ms by which a response head must be on its way to the client; set by the deadline policy. */
  deadlineAt: number
  /** The fault of an exchange that its deadline ends: it says whose deadline that is. */
  deadlineFault: FaultCode
  /** Attempts started so far. */
  attempts: number
  /**
   * How long the attempt of this moment may wait for its response head, in ms, from the end of its request; Infinity
   * when only the deadline bounds it. Set by the retry policy.
   */
  attemptTimeoutMs: number
  /**
   * How long the newest attempt that was sent whole waited for its response head, in ms, given up or not; undefined when
   * none got that far.
   */
  headMs: number | undefined
  /** Origins that attempts went to, in order; of an upstream with several endpoints. */
  readonly tried: string[]
  /** The attempts that are over, in the order of their ends. */
  readonly history: AttemptRecord[]
  readonly spent: Spent
  /** Whether the call that answers it was made for other requests as well. */
  isShared: boolean
}

/** Whether a repetition of a request is harmless whatever the outcome: by its route, its method or an Idempotency-Key. */
export const isRepeatable = (
  { idempotent, idempotentMethods }: ExchangeRoute,
  { method, hasIdempotencyKey }: Pick<ExchangeRequest, 'method' | 'hasIdempotencyKey'>,
) => idempotent || hasIdempotencyKey || idempotentMethods.has(method)

/** The exchange of a client's request. */
export const newExchange = (request: ExchangeRequest, route: ExchangeRoute): Exchange => ({
  id: request.id,
  method: request.method,
  path: request.path,
  target: request.target,
  headers: request.headers,
  body: request.body,
  upgrade: request.upgrade,
  startedAt: request.startedAt,
  clientTimeoutMs: request.clientTimeoutMs,
  jobDeadlineAt: request.jobDeadlineAt,
  client: request.client,
  trace: request.trace,
  route: route.ref,
  jobs: route.jobs,
  idempotent: isRepeatable(route, request),
  attemptsBefore: 0,
  timeouts: request.timeouts,
  deadlineAt: Number.POSITIVE_INFINITY,
  deadlineFault: 'total_timeout',
  attempts: 0,
  attemptTimeoutMs: Number.POSITIVE_INFINITY,
  headMs: undefined,
  tried: [],
  history: [],
  spent: { queueMs: 0, backoffMs: 0, connectMs: 0 },
  isShared: false,
})

/** In what a fork differs from its parent. */
type Fork = {
  readonly headers?: string[]
  readonly body?: RequestBody | undefined
  readonly client?: ClientLink
  readonly startedAt?: number
  readonly deadlineAt?: number
  readonly deadlineFault?: FaultCode
  readonly attemptsBefore?: number
  /** Given where the fork's attempts are to avoid the endpoints of its parent and siblings. */
  readonly tried?: string[]
}

/**
 * A call made on behalf of an exchange, or of several that are alike (hold, collapse, hedge, resume). It counts its own
 * attempts, waits and history; `join` tells them to the exchange that it answers.
 */
export const fork = (parent: Exchange, own: Fork): Exchange => ({
  id: parent.id,
  method: parent.method,
  path: parent.path,
  target: parent.target,
  headers: own.headers ?? parent.headers,
  body: 'body' in own ? own.body : parent.body,
  upgrade: parent.upgrade,
  startedAt: own.startedAt ?? parent.startedAt,
  clientTimeoutMs: parent.clientTimeoutMs,
  jobDeadlineAt: parent.jobDeadlineAt,
  client: own.client ?? parent.client,
  trace: parent.trace,
  route: parent.route,
  jobs: parent.jobs,
  idempotent: parent.idempotent,
  attemptsBefore: own.attemptsBefore ?? parent.attemptsBefore,
  timeouts: parent.timeouts,
  deadlineAt: own.deadlineAt ?? parent.deadlineAt,
  deadlineFault: own.deadlineFault ?? parent.deadlineFault,
  attempts: 0,
  attemptTimeoutMs: parent.attemptTimeoutMs,
  headMs: undefined,
  tried: own.tried ?? [],
  history: [],
  spent: { queueMs: 0, backoffMs: 0, connectMs: 0 },
  isShared: false,
})

/** A download that is continued over and over has no end of attempts: the first and the newest are kept. */
const MAX_RECORDS = 200

/** Adds to an exchange's history an attempt that is over. */
export function remember({ history }: Exchange, record: AttemptRecord): void {
  history.push(record)
  if (history.length > MAX_RECORDS) history.splice(MAX_RECORDS / 2, 1)
}

/**
 * Tells an exchange what a fork has come to so far. To be called once for each fork and each exchange that it answers.
 * @param waited whether the exchange waited through the fork: not for an attempt that another one overtook.
 */
export function join(exchange: Exchange, { attempts, history, headMs, spent }: Exchange, waited = true): void {
  exchange.attempts += attempts
  for (const record of history) remember(exchange, record)
  if (!waited) return
  exchange.headMs = headMs
  exchange.spent.queueMs += spent.queueMs
  exchange.spent.backoffMs += spent.backoffMs
  exchange.spent.connectMs += spent.connectMs
}

/** The client, as those see it who wait on its behalf. */
export type ClientLink = {
  readonly gone: boolean
  /** What an attempt made for a client that is gone is told as. */
  readonly goneAs: FaultCode
  /** Not called when the client is gone already: look at `gone` first. */
  listen(onGone: () => void): void
  unlisten(onGone: () => void): void
  /** Relays a 1xx response (103, 102) at once. */
  inform(status: number, headers: RawHeaders): void
}

/** Takes a body as it arrives. */
export type BodySink = {
  /** @returns false to be sent no more until `resume` is called. */
  data(chunk: Buffer): boolean
  /** The whole body has been delivered. */
  end(trailers: RawHeaders): void
  /** The body broke off. */
  fail(code: FaultCode): void
}

/** The upstream's response, from its head on; the body waits (bounded) until someone takes or discards it. */
export type Reply = {
  readonly status: number
  readonly statusText: string
  /** As the upstream sent them, hop-by-hop fields included. */
  readonly headers: RawHeaders
  /** The upstream's connection after a 101; undefined otherwise. */
  readonly socket: Duplex | undefined
  /** Whether the head arrived before the request had been sent whole. */
  readonly early: boolean
  /** Whether the whole body has arrived, so that keeping the reply holds no connection. */
  readonly ended: boolean
  /** Delivers the body, what has arrived already at once. At most once. */
  pipe(sink: BodySink): void
  resume(): void
  /** Gives the rest of the body up; its connection is not used again unless the body had ended. */
  discard(end: BodyEnd): void
  /** Shows the body's chunks on their way to each who asks, those that have arrived already at once. They are not to be changed. */
  watch(onData: (chunk: Buffer) => void): void
  /** Calls back once the body has ended, at once when it has. The end of slots, leases and counts. */
  onClosed(closed: (end: BodyEnd) => void): void
}

type Reader = (chunk: Buffer) => void

/** Who reads a body along, and who asked for it before; that one first. */
export const both = (before: Reader | undefined, onData: Reader): Reader =>
  before === undefined
    ? onData
    : (chunk) => {
        before(chunk)
        onData(chunk)
      }

/** What a transport tells of a call while it has no response head. Nothing is told after `head` or `failed`. */
export type CallWatch = {
  /** The request's first byte is about to be sent. @param connectMs of a new connection; undefined for a reused one. */
  started(connectMs: number | undefined): void
  /** Some of the body has been sent. */
  progressed(): void
  /** The request has been sent whole. */
  sent(): void
  head(reply: Reply): void
  failed(code: FaultCode, cause: unknown): void
}

export type Call = {
  /** Gives the call up; harmless when it is over. `failed` is not called for it. */
  abort(): void
}

/** Starts sending an exchange to the upstream. */
export type Transport = (exchange: Exchange, watch: CallWatch) => Call

/** Sends an exchange and resolves with the reply's head, or rejects with a ProxyError. */
export type Send = (exchange: Exchange) => Promise<Reply>

/** One policy: a Send around a Send. */
export type Layer = (next: Send) => Send
