/** Types of the policies: an exchange, its request and reply, and the layers around it. */

import type { Duplex } from 'node:stream'
import type { FaultCode } from '../errors.ts'
import type { AttemptRecord, BodyEnd, RetryDenial, RouteRef, Trace } from '../events.ts'
import type { RawHeaders } from '../net/fields.ts'
import type { ReadId } from '../job/match.ts'
import type { Inputs } from '../job/timeouts.ts'
import type { Permit } from './breaker/circuit.ts'
import type { JobWatch } from './failure-when/rule.ts'
import type { PathGroup } from './paths/group.ts'
import type { Pause } from './paths/pause.ts'

/** Receives a request body for one attempt. */
export type BodyReceiver = {
  /** @returns false to receive no more until `resume` is called. */
  data(chunk: Buffer): boolean
  /** The body is complete. */
  end(): void
  /** The body broke off. */
  fail(error: Error): void
}

/** What a receiver of a request body says to its source. */
export type BodyFeed = {
  resume(): void
  /** Nothing is delivered any more. */
  stop(): void
}

/** A request body, kept as far as the limits allow, so that each attempt can send it from its first byte. */
export type RequestBody = {
  /**
   * Reads the whole body without consuming it. Waits for its end.
   * @param onProgress called with each part that arrives.
   * @returns undefined when the body is larger than the limit, of unknown length, or not kept in memory.
   */
  peek(limitBytes: number, onProgress?: () => void): Promise<Buffer | undefined>
  /** Whether another attempt could send the body from its first byte; false once the limits are exceeded. */
  readonly replayable: boolean
  /** Whether the client has sent the last byte. */
  readonly complete: boolean
  /** Whether the present reader waits for the client, not for the upstream. */
  readonly starved: boolean
  /** Bytes that the client has sent so far. */
  readonly received: number
  /**
   * Delivers the body from its first byte, what is known of it at once. Ends the feed opened before, which must not be in use any
   * more.
   */
  open(receiver: BodyReceiver): BodyFeed
  /** Drops what is kept for retries: no further attempt will follow. */
  commit(): void
}

/** All in ms. */
export type Timeouts = {
  readonly connectMs: number
  /** One attempt, from the end of its request to its response head. */
  readonly attemptMs: number
  /** All attempts and waits, from the request's arrival to the response head. */
  readonly totalMs: number
  /** Between two chunks of a body, in either direction. */
  readonly idleMs: number
  /** What a call is taken to need while few of its group are known. */
  readonly usefulMs: number
}

/** Parts of an exchange that come from the client's request. */
export type ExchangeRequest = {
  readonly id: string
  readonly method: string
  /** The path as the client sent it, without the query. */
  readonly path: string
  /** Origin-form target for the upstream, byte for byte as the client sent it, without the upstream's prefix. */
  readonly target: string
  /** Headers for the upstream: end-to-end fields, without Host. */
  readonly headers: string[]
  /** undefined for a request without a body. */
  readonly body: RequestBody | undefined
  /** Protocol of an upgrade request, e.g. `websocket`. */
  readonly upgrade: string | undefined
  readonly hasIdempotencyKey: boolean
  /** Monotonic ms of the arrival. */
  readonly startedAt: number
  /** Time that the client allows for the response head, in ms; undefined when it does not say. */
  readonly clientTimeoutMs: number | undefined
  /** Monotonic ms of the job's deadline; undefined without a registered job. */
  readonly jobDeadlineAt: number | undefined
  /** Id of the job that the request names; undefined when it names none. */
  readonly job: string | undefined
  /** The job that the request creates; undefined on a route that creates none. */
  readonly newJob: NewJob | undefined
  readonly timeouts: Timeouts
  readonly client: ClientLink
  /** Whether a reply's body is read whole before any of it is relayed. */
  readonly readsWhole: (reply: Reply) => boolean
  /** undefined unless the request is recorded. Then each attempt has its own `traceparent`. */
  readonly trace: Trace | undefined
}

/** What is known of a job before its id is. */
export type NewJob = {
  readonly inputs: Inputs
  /** Time for the job, in ms; undefined when nothing bounds it. */
  readonly deadlineMs: number | undefined
}

/** How a route's requests are bound to jobs. */
export type JobLink = {
  /** Reads the id of a request's job; undefined where the request does not have it. */
  readonly idOf: ReadId | undefined
  /** Whether the route's responses report on the job. */
  readonly isPolled: boolean
  /** The job that a request creates; undefined on a route that creates none. */
  readonly newJob: ((inputs: Inputs) => NewJob) | undefined
}

/** Parts of an exchange that come from its route. */
export type ExchangeRoute = {
  readonly ref: RouteRef
  /** Whether the route allows its requests to be repeated. */
  readonly idempotent: boolean
  /** Methods in upper case whose requests may be repeated. */
  readonly idempotentMethods: ReadonlySet<string>
  /** How the route recognises failed jobs; undefined when it does not. */
  readonly jobs: JobWatch | undefined
  /** The group of paths that a request belongs to. @param path without the query. */
  readonly groupOf: (method: string, path: string) => PathGroup
}

/** Properties that a route's settings give to its exchanges. */
export type RouteTraits = Omit<ExchangeRoute, 'ref'> & {
  /** Bytes of a request body that are kept for a retry. */
  readonly bodyLimits: { readonly memory: number; readonly disk: number }
  /** undefined where the route neither creates jobs nor belongs to one. */
  readonly jobLink: JobLink | undefined
  /** Whether its upstream can say that it did not process a request, which may then be sent again whatever its method. */
  readonly mayBeRefused: boolean
  /** A function when they are computed from the job's inputs. */
  readonly timeouts: Timeouts | ((inputs: Inputs) => Timeouts)
  /** Time without a byte after which a tunnel is closed, in ms. */
  readonly tunnelMs: number
}

/** Time spent in each kind of wait, in ms. */
type Spent = {
  /** For a slot, a connection, or a turn under the rate. */
  queueMs: number
  backoffMs: number
  connectMs: number
  /** For an open breaker. */
  breakerMs: number
  /** For the end of a Retry-After that another call was answered with. */
  retryAfterMs: number
}

const freshSpent = (): Spent => ({ queueMs: 0, backoffMs: 0, connectMs: 0, breakerMs: 0, retryAfterMs: 0 })

/**
 * One request on its way through the policies, or a call made for it or for several (a fork). Only `newExchange` and `fork`
 * make one. Policies set the fields below the line.
 */
export type Exchange = Omit<ExchangeRequest, 'hasIdempotencyKey' | 'timeouts' | 'job'> & {
  readonly route: RouteRef
  readonly group: PathGroup
  readonly jobs: JobWatch | undefined
  /** Whether the request may be repeated whatever the outcome: by its method, its route or an Idempotency-Key. */
  readonly idempotent: boolean
  /** Attempts made before this call was forked, by its parent and its siblings; 0 for a client's own request. */
  readonly attemptsBefore: number
  // ————
  timeouts: Timeouts
  /** Id of its job. Set by the jobs policy where the response names it. */
  job: string | undefined
  /** Monotonic ms of the deadline for the response head. Set by the deadline policy. */
  deadlineAt: number
  /** The fault of an exchange that reaches its deadline; it says whose deadline that is. */
  deadlineFault: FaultCode
  /** Monotonic ms of the client's or its job's own limit, and its fault: what no upload extends. Set by the deadline policy. */
  limitAt: number
  limitFault: FaultCode
  /** Whether it has had its turn under the rate for the present attempt. Set by the rate policy. */
  hasTurn: boolean
  /** Counts the call as one that its breaker is to admit. Set by the breaker's patience, closed by the breaker. */
  entry: { readonly isOpen: boolean; close(): void } | undefined
  /** Monotonic ms at which the breaker last refused the call that it was let go for. Set by the breaker's patience. */
  refusedAt: number
  /** Permission of the present attempt, and whether it is a probe. Set by the breaker. */
  permit: Permit | undefined
  isProbe: boolean
  /** Retry-After whose end the present attempt has waited for. Set by the policy that waits. */
  pausedBy: Pause | undefined
  /** Attempts started so far. */
  attempts: number
  /**
   * Time that the present attempt may wait for its response head after the end of its request, in ms. Infinity when only the
   * deadline bounds it. Set by the retry policy.
   */
  attemptTimeoutMs: number
  /**
   * Time that the newest attempt whose request was sent whole waited for its response head, in ms, whether or not the head
   * came; undefined when no request was sent whole.
   */
  headMs: number | undefined
  /** Origins of the attempts in order, for upstreams with several endpoints. */
  readonly tried: string[]
  /** Finished attempts, in the order of their ends. */
  readonly history: AttemptRecord[]
  readonly spent: Spent
  /** Why no further retry followed an outcome that is retried. Set by the retry policy. */
  retryDenied: RetryDenial | undefined
  /** Whether the call that answers the exchange was made for other exchanges, too. */
  isShared: boolean
}

/** Whether a request may be repeated whatever the outcome: by its route, its method or an Idempotency-Key. */
export const isRepeatable = (
  { idempotent, idempotentMethods }: ExchangeRoute,
  { method, hasIdempotencyKey }: Pick<ExchangeRequest, 'method' | 'hasIdempotencyKey'>,
) => idempotent || hasIdempotencyKey || idempotentMethods.has(method)

/** Makes the exchange of a client's request. */
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
  job: request.job,
  newJob: request.newJob,
  client: request.client,
  readsWhole: request.readsWhole,
  trace: request.trace,
  route: route.ref,
  group: route.groupOf(request.method, request.path),
  jobs: route.jobs,
  idempotent: isRepeatable(route, request),
  attemptsBefore: 0,
  timeouts: request.timeouts,
  deadlineAt: Number.POSITIVE_INFINITY,
  deadlineFault: 'total_timeout',
  limitAt: Number.POSITIVE_INFINITY,
  limitFault: 'client_deadline',
  entry: undefined,
  refusedAt: Number.NEGATIVE_INFINITY,
  permit: undefined,
  isProbe: false,
  pausedBy: undefined,
  hasTurn: false,
  attempts: 0,
  attemptTimeoutMs: Number.POSITIVE_INFINITY,
  headMs: undefined,
  tried: [],
  history: [],
  spent: freshSpent(),
  retryDenied: undefined,
  isShared: false,
})

/** Fields in which a fork differs from its parent. */
type Fork = {
  readonly headers?: string[]
  readonly body?: RequestBody | undefined
  readonly client?: ClientLink
  readonly readsWhole?: Exchange['readsWhole']
  readonly startedAt?: number
  readonly deadlineAt?: number
  readonly deadlineFault?: FaultCode
  readonly attemptsBefore?: number
  /** Given when the fork makes the attempt for which its parent has had its turn. */
  readonly hasTurn?: boolean
  /** Given when the fork's attempts should avoid the endpoints of its parent and siblings. */
  readonly tried?: string[]
}

/**
 * Makes a call on behalf of an exchange, or of several identical ones (hold, collapse, hedge, resume). A fork counts its own
 * attempts, waits and history; `join` adds them to the exchange that it answers.
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
  job: parent.job,
  newJob: parent.newJob,
  client: own.client ?? parent.client,
  readsWhole: own.readsWhole ?? parent.readsWhole,
  trace: parent.trace,
  route: parent.route,
  group: parent.group,
  jobs: parent.jobs,
  idempotent: parent.idempotent,
  attemptsBefore: own.attemptsBefore ?? parent.attemptsBefore,
  timeouts: parent.timeouts,
  deadlineAt: own.deadlineAt ?? parent.deadlineAt,
  deadlineFault: own.deadlineFault ?? parent.deadlineFault,
  limitAt: parent.limitAt,
  limitFault: parent.limitFault,
  entry: parent.entry,
  refusedAt: Number.NEGATIVE_INFINITY,
  permit: undefined,
  isProbe: false,
  pausedBy: undefined,
  hasTurn: own.hasTurn ?? false,
  attempts: 0,
  attemptTimeoutMs: parent.attemptTimeoutMs,
  headMs: undefined,
  tried: own.tried ?? [],
  history: [],
  spent: freshSpent(),
  retryDenied: undefined,
  isShared: false,
})

/** Longest history. A download may be resumed without end: the first and the newest attempts are kept. */
const MAX_RECORDS = 200

/** Notes that the body of the newest attempt's response did not come whole: to its exchange the attempt has failed. */
export function spoil({ history }: Exchange, status: number, fault: FaultCode, now: number): void {
  const record = history.findLast(({ outcome }) => outcome === status)
  if (record === undefined) return
  record.outcome = fault
  record.ms = now - record.startedAt
}

/** Notes the moment at which the body of the newest response broke off. Its attempt counts as answered all the same. */
export function noteBreak({ history }: Exchange, now: number): void {
  const record = history.findLast(({ outcome }) => typeof outcome === 'number')
  if (record !== undefined) record.brokeMs ??= now - record.startedAt
}

/** Adds a finished attempt to an exchange's history. */
export function remember({ history }: Exchange, record: AttemptRecord): void {
  history.push(record)
  if (history.length > MAX_RECORDS) history.splice(MAX_RECORDS / 2, 1)
}

/**
 * Adds a fork's attempts, history and waits to an exchange. Called once for each fork and each exchange that it answers.
 * @param waited whether the exchange waited for the fork; false for a hedge that another attempt overtook.
 */
export function join(
  exchange: Exchange,
  { attempts, history, headMs, spent, job, retryDenied }: Exchange,
  waited = true,
): void {
  exchange.attempts += attempts
  exchange.job ??= job
  for (const record of history) remember(exchange, record)
  if (!waited) return
  exchange.headMs = headMs
  exchange.retryDenied = retryDenied
  exchange.spent.queueMs += spent.queueMs
  exchange.spent.backoffMs += spent.backoffMs
  exchange.spent.connectMs += spent.connectMs
  exchange.spent.breakerMs += spent.breakerMs
  exchange.spent.retryAfterMs += spent.retryAfterMs
}

/** Gives the time for which a request body was on its way back to `total`. The client's own limit stays. */
export function extendTotal(exchange: Exchange, ms: number): void {
  if (exchange.deadlineFault !== 'total_timeout') return
  exchange.deadlineAt += ms
  if (exchange.deadlineAt <= exchange.limitAt) return
  exchange.deadlineAt = exchange.limitAt
  exchange.deadlineFault = exchange.limitFault
}

/** The client of an exchange, as policies see it. */
export type ClientLink = {
  readonly gone: boolean
  /** Fault of an attempt that is ended because the client is gone. */
  readonly goneAs: FaultCode
  /** Not called when the client is gone already: check `gone` first. */
  listen(onGone: () => void): void
  unlisten(onGone: () => void): void
  /** Relays a 1xx response (103, 102) at once. */
  inform(status: number, headers: RawHeaders): void
}

/** Receives a body as it arrives. */
export type BodySink = {
  /** @returns false to receive no more until `resume` is called. */
  data(chunk: Buffer): boolean
  /** The body is complete. */
  end(trailers: RawHeaders): void
  /** The body broke off. */
  fail(code: FaultCode): void
}

/** The upstream's response from its head on. The body waits, within bounds, until it is piped or discarded. */
export type Reply = {
  readonly status: number
  readonly statusText: string
  /** Headers as the upstream sent them, including hop-by-hop fields. */
  readonly headers: RawHeaders
  /** The upstream's connection after a 101; undefined otherwise. */
  readonly socket: Duplex | undefined
  /** Whether the head arrived before the whole request was sent. */
  readonly early: boolean
  /** Whether the whole body has arrived, so that the reply holds no connection. */
  readonly ended: boolean
  /** Delivers the body, including what has arrived already. At most once. */
  pipe(sink: BodySink): void
  resume(): void
  /** Gives up the rest of the body. Its connection is not reused unless the body had ended. */
  discard(end: BodyEnd): void
  /** Shows the body's chunks to an observer, including those that have arrived already. The observer must not change them. */
  watch(onData: (chunk: Buffer) => void): void
  /** Calls back when the body has ended, at once when it has ended already. Slots, leases and counters end here. */
  onClosed(closed: (end: BodyEnd) => void): void
}

type Reader = (chunk: Buffer) => void

/** Joins two observers of a body. The earlier one is called first. */
export const both = (before: Reader | undefined, onData: Reader): Reader =>
  before === undefined
    ? onData
    : (chunk) => {
        before(chunk)
        onData(chunk)
      }

/** Receives the progress of a call until its response head. Nothing follows `head` or `failed`. */
export type CallWatch = {
  /** Called before the first byte of the request is sent. @param connectMs of a new connection; undefined for a reused one. */
  started(connectMs: number | undefined): void
  /** A part of the body was sent. */
  progressed(): void
  /** The whole request was sent. */
  sent(): void
  head(reply: Reply): void
  failed(code: FaultCode, cause: unknown): void
}

export type Call = {
  /** Gives up the call. Harmless when it has ended; `failed` is not called. */
  abort(): void
  /** Bytes of the request that the upstream has not taken, of those that were sent to it. */
  untaken(): number
}

/** Starts sending an exchange to the upstream. */
export type Transport = (exchange: Exchange, watch: CallWatch) => Call

/** Sends an exchange and resolves with the reply's head, or rejects with a ProxyError. */
export type Send = (exchange: Exchange) => Promise<Reply>

/** One policy: a Send around a Send. */
export type Layer = (next: Send) => Send
