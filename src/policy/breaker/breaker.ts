import { faultOf, ProxyError, type Whose } from '../../errors.ts'
import { callEach } from '../call-each.ts'
import {
  admit,
  admits,
  type Circuit,
  type CircuitSettings,
  force,
  noticeHalfOpen,
  type Permit,
  refuses,
  type Transition,
} from './circuit.ts'
import { watchJob } from '../failure-when/report.ts'
import type { JobWatch } from '../failure-when/rule.ts'
import type { BodyEnd, BreakerMode, Trace } from '../../events.ts'
import type { Exchange, Layer, Reply } from '../exchange.ts'
import type { Deps } from '../../deps.ts'
import { answered, noticeSlow, settle, settleJob, type Verdict } from './settle.ts'

type BreakerRules = CircuitSettings & {
  /** Response statuses that count as failures. */
  readonly failureStatuses: ReadonlySet<number>
}

/** Circuit breaker of one endpoint: the upstream's, shared by its routes, or a route's own. */
export type Breaker = {
  readonly settings: BreakerRules
  readonly circuit: Circuit
  readonly upstream: string
  /** undefined for the upstream's own. */
  readonly route: string | undefined
  /** Its origin; undefined where the upstream has but one. */
  readonly endpoint: string | undefined
  /** Called when the circuit opens. */
  readonly onOpen: Set<() => void>
}

/**
 * A rejection with its Retry-After while the circuits of all endpoints are open; undefined when one is closed or half open.
 * When all endpoints are down, no call is sent: more requests would not help the upstream.
 */
export function refusalOf(breakers: readonly Breaker[], deps: Deps): ProxyError | undefined {
  const now = deps.clock.now()
  let first: Breaker | undefined
  for (const breaker of breakers) {
    lookForSlow(breaker, now, deps)
    if (!refuses(breaker.circuit, now)) return undefined
    if (first === undefined || breaker.circuit.halfOpenAt < first.circuit.halfOpenAt) first = breaker
  }
  return first && rejection(first, now)
}

/** Whether any of the breakers admits an attempt now, as a probe or otherwise. */
export const anyAdmits = (breakers: readonly Breaker[], deps: Deps): boolean =>
  breakers.some((breaker) => wouldAdmit(breaker, deps))

/** Whether the breaker admits an attempt now, as a probe or otherwise. */
export function wouldAdmit(breaker: Breaker, deps: Deps): boolean {
  const now = deps.clock.now()
  lookForSlow(breaker, now, deps)
  return admits(breaker.circuit, now, breaker.settings)
}

/** Sets the mode that an operator asked for, and emits it as an event. */
export function setMode(breaker: Breaker, mode: BreakerMode, deps: Deps): void {
  const { upstream, route, endpoint } = breaker
  deps.emit({ kind: 'breaker_mode', upstream, route, endpoint, mode })
  publish(breaker, force(breaker.circuit, mode, deps.clock.now(), breaker.settings), deps)
}

/**
 * Stands inside the retry, so that it counts attempts. Counts an attempt as a success only when its body is whole. Counts it as
 * neither success nor failure when the client left or the sidecar refused it. A probe holds its slot no longer than the
 * attempt's timeout.
 */
export const breaking =
  (breaker: Breaker, deps: Deps): Layer =>
  (next) =>
  async (exchange) => {
    const { trace, timeouts } = exchange
    const permit = enter(breaker, timeouts.attemptMs, trace, deps)
    try {
      const reply = await next(exchange)
      leaveAtHead(breaker, permit, deps)
      if (exchange.jobs !== undefined) watch(breaker, permit, exchange.jobs, reply, exchange, deps)
      const verdict = verdictOnHead(reply.status, exchange, breaker.settings)
      if (verdict === undefined) reply.onClosed((end) => conclude(breaker, permit, verdictOnBody(end), trace, deps))
      else conclude(breaker, permit, verdict, trace, deps)
      return reply
    } catch (error) {
      conclude(breaker, permit, error instanceof ProxyError ? verdictOn(error.whose) : 'neutral', trace, deps)
      throw error
    }
  }

function enter(breaker: Breaker, leaseMs: number, trace: Trace | undefined, deps: Deps): Permit {
  const now = deps.clock.now()
  lookForSlow(breaker, now, deps)
  const permit = admit(breaker.circuit, now, leaseMs, deps.clock.stalledMs(), breaker.settings)
  if (permit === undefined) throw rejection(breaker, now)
  publish(breaker, noticeHalfOpen(breaker.circuit, now), deps, trace)
  return permit
}

/** Counts in-flight calls that have become slow. Called before the circuit is read or updated. */
function lookForSlow(breaker: Breaker, now: number, deps: Deps): void {
  if (!breaker.settings.slowCalls) return
  publish(breaker, noticeSlow(breaker.circuit, now, deps.clock.stalledMs(), breaker.settings), deps)
}

function leaveAtHead(breaker: Breaker, permit: Permit, deps: Deps): void {
  if (!breaker.settings.slowCalls) return
  const now = deps.clock.now()
  lookForSlow(breaker, now, deps)
  answered(breaker.circuit, permit, now)
}

function conclude(breaker: Breaker, permit: Permit, verdict: Verdict, trace: Trace | undefined, deps: Deps): void {
  const now = deps.clock.now()
  lookForSlow(breaker, now, deps)
  publish(breaker, settle(breaker.circuit, permit, verdict, now, breaker.settings), deps, trace)
}

/** Counts each job's failure once, however often the job is polled. */
function watch(breaker: Breaker, permit: Permit, jobs: JobWatch, reply: Reply, exchange: Exchange, deps: Deps) {
  const { path, route, history, trace } = exchange
  const record = history.at(-1)
  watchJob(reply, jobs.rule, (outcome) => {
    if (record !== undefined) record.job = outcome
    const id = jobs.idOf?.(path)
    if (id !== undefined && !jobs.counted.add(`${outcome} ${id}`)) return
    deps.emit({ kind: 'job_seen', ref: route, outcome, id })
    const now = deps.clock.now()
    publish(breaker, settleJob(breaker.circuit, permit, outcome === 'failed', now, breaker.settings), deps, trace)
  })
}

/**
 * undefined when the verdict depends on the body. A protocol switch is a success, since no response body follows. A failed job
 * counts as one failure, not one for each poll.
 */
function verdictOnHead(status: number, { jobs, path }: Exchange, settings: BreakerRules): Verdict | undefined {
  if (settings.failureStatuses.has(status)) {
    const id = jobs?.idOf?.(path)
    return id !== undefined && jobs?.counted.add(`broken ${id}`) === false ? 'neutral' : 'failure'
  }
  if (status === 429) return 'limited'
  return status === 101 ? 'success' : undefined
}

function verdictOnBody(end: BodyEnd): Verdict {
  if (end === 'complete') return 'success'
  if (end === 'cancelled') return 'neutral'
  return verdictOn(faultOf(end).whose)
}

const verdictOn = (whose: Whose): Verdict => (whose === 'upstream' ? 'failure' : 'neutral')

function rejection(breaker: Breaker, now: number): ProxyError {
  const who = [breaker.upstream, breaker.route, breaker.endpoint].filter((name) => name !== undefined).join(' ')
  if (breaker.circuit.mode === 'forced-open') {
    const retryAfterS = Math.ceil(breaker.settings.openForMs / 1000)
    return new ProxyError('breaker_forced', `circuit breaker of ${who} is held open by an operator`, { retryAfterS })
  }
  const waitMs = Math.max(0, breaker.circuit.halfOpenAt - now)
  const detail = waitMs > 0 ? `circuit breaker of ${who} is open` : `circuit breaker of ${who} is probing`
  return new ProxyError('breaker_open', detail, { retryAfterS: Math.max(1, Math.ceil(waitMs / 1000)) })
}

/** @param trace of the request whose attempt changed the state; undefined where a request only noticed the change. */
function publish(breaker: Breaker, transition: Transition | undefined, deps: Deps, trace?: Trace): void {
  if (transition === undefined) return
  const { upstream, route, endpoint } = breaker
  deps.emit({ kind: 'breaker', upstream, route, endpoint, ...transition, trace })
  if (transition.to === 'open') callEach([...breaker.onOpen])
}
