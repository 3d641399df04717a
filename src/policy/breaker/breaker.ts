import { ProxyError } from '../../errors.ts'
import type { Timer } from '../../clock.ts'
import { writtenMs } from '../../config/kinds/units.ts'
import { callEach } from '../call-each.ts'
import {
  admit,
  admits,
  type Circuit,
  force,
  isPlain,
  noticeHalfOpen,
  type Permit,
  refuses,
  type Transition,
} from './circuit.ts'
import { type Held, hold } from './forced.ts'
import { watchJob } from '../failure-when/report.ts'
import type { JobWatch } from '../failure-when/rule.ts'
import type { BreakerOrder, Trace } from '../../events.ts'
import type { Exchange, Reply } from '../exchange.ts'
import type { Gate } from '../gate.ts'
import type { Deps } from '../../deps.ts'
import { answered, brokeOff, noticeSlow, settle, settleJob, type Verdict } from './settle.ts'
import { tellPeers } from './peers.ts'
import { type BreakerRules, verdictOnBody, verdictOnError, verdictOnHead } from './verdict.ts'

/** Circuit breaker of one endpoint: the upstream's, shared by its routes, or a route's own. */
export type Breaker = {
  readonly settings: BreakerRules
  readonly circuit: Circuit
  /** What an operator ordered. */
  readonly held: Held
  readonly upstream: string
  /** undefined for the upstream's own. */
  readonly route: string | undefined
  /** Its origin; undefined where the upstream has but one. */
  readonly endpoint: string | undefined
  /** Called when the state changes, and when a slot for a probe is free again. */
  readonly onChange: Set<() => void>
  /** Timer for the question who probes, in a fleet. */
  readonly lease: { timer: Timer | undefined }
}

/**
 * A rejection with its Retry-After while the circuits of all endpoints are open; undefined when one is closed or half open.
 * When all endpoints are down, no call is sent: more requests would not help the upstream.
 */
export function refusalOf(breakers: readonly Breaker[], deps: Deps): ProxyError | undefined {
  for (const { circuit, settings } of breakers) if (isPlain(circuit) && !settings.slowCalls) return undefined
  const now = deps.clock.now()
  for (const breaker of breakers) {
    lookForSlow(breaker, now, deps)
    if (!refuses(breaker.circuit, now)) return undefined
  }
  return rejectionOf(breakers, deps)
}

/** Why a call does not wait for a breaker: it would take longer than `patience`, or than the call's own time allows. */
type Bound = 'patience' | 'deadline'

/** The rejection of the breaker that admits a call soonest. */
export function rejectionOf(
  [first, ...others]: readonly Breaker[],
  { clock }: Deps,
  bound: Bound = 'patience',
): ProxyError {
  if (first === undefined) throw new Error('a route without a breaker')
  const soonest = others.reduce(
    (one, other) => (other.circuit.halfOpenAt < one.circuit.halfOpenAt ? other : one),
    first,
  )
  return rejection(soonest, clock.now(), bound)
}

/** Whether the breaker admits an attempt now, as a probe or otherwise. */
export function wouldAdmit(breaker: Breaker, deps: Deps): boolean {
  const now = deps.clock.now()
  lookForSlow(breaker, now, deps)
  return admits(breaker.circuit, now, breaker.settings)
}

/** Sets the mode that an operator asked for, and `auto` again when its time is over. Both are events. */
export function setMode(breaker: Breaker, order: BreakerOrder, deps: Deps, hasEnded = false): void {
  const { upstream, route, endpoint, held } = breaker
  const { mode } = order
  hold(held, order, () => setMode(breaker, AUTOMATIC, deps, true), deps)
  deps.emit({ kind: 'breaker_mode', upstream, route, endpoint, mode, hasEnded, forced: held.order })
  publish(breaker, force(breaker.circuit, mode, deps.clock.now(), breaker.settings), deps)
}

const AUTOMATIC: BreakerOrder = { mode: 'auto', reason: undefined, by: undefined, forMs: undefined }

/**
 * Stands inside the retry, so that it counts attempts. What the attempt says about the upstream is in verdict.ts. A probe
 * succeeds with its response head, another call once its body is whole. A probe holds its slot no longer than the attempt's
 * timeout, nor than the longest open time: an upstream that hangs gets as many calls as one that refuses them.
 */
export const breaking = (breaker: Breaker, deps: Deps): Gate => ({
  enter: (exchange) => {
    exchange.permit = enter(breaker, exchange, deps)
    exchange.isProbe = breaker.circuit.tripped
    return undefined
  },
  replied: (exchange, reply) => {
    const { trace, permit, isProbe } = exchange
    if (permit === undefined) return
    leaveAtHead(breaker, permit, deps)
    if (exchange.jobs !== undefined) watch(breaker, permit, exchange.jobs, reply, exchange, deps)
    const verdict = verdictOnHead(reply, exchange, breaker.settings, deps.clock)
    if (verdict !== undefined) conclude(breaker, permit, verdict, trace, deps, String(reply.status))
    else if (isProbe) concludeProbe(breaker, permit, reply, trace, deps)
    else reply.onClosed((end) => conclude(breaker, permit, verdictOnBody(end), trace, deps, end))
  },
  failed: (exchange, error) => {
    const { trace, permit } = exchange
    if (permit === undefined) return false
    const verdict = verdictOnError(error, exchange, breaker.settings, deps.clock.now())
    conclude(breaker, permit, verdict, trace, deps, error instanceof ProxyError ? error.code : '')
    return false
  },
})

function enter(breaker: Breaker, exchange: Exchange, deps: Deps): Permit {
  const { group, timeouts, trace, entry } = exchange
  const now = deps.clock.now()
  lookForSlow(breaker, now, deps)
  const call = {
    group: group.key,
    leaseMs: Math.min(timeouts.attemptMs, breaker.settings.openForMaxMs),
    stalledMs: deps.clock.stalledMs(),
  }
  const permit = admit(breaker.circuit, now, call, breaker.settings)
  if (permit === undefined) throw rejection(breaker, now)
  entry?.close()
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

/** @param kind of a failure: a status or a reason. */
function conclude(
  breaker: Breaker,
  permit: Permit,
  verdict: Verdict,
  trace: Trace | undefined,
  deps: Deps,
  kind = '',
): void {
  const now = deps.clock.now()
  lookForSlow(breaker, now, deps)
  const wasProbing = breaker.circuit.tripped
  publish(breaker, settle(breaker.circuit, permit, verdict, now, breaker.settings, kind), deps, trace, kind)
  // A slot for a probe is free again.
  if (wasProbing && breaker.circuit.tripped) callEach([...breaker.onChange])
}

function concludeProbe(breaker: Breaker, permit: Permit, reply: Reply, trace: Trace | undefined, deps: Deps): void {
  conclude(breaker, permit, 'success', trace, deps)
  reply.onClosed((end) => {
    if (verdictOnBody(end) !== 'failure') return
    publish(breaker, brokeOff(breaker.circuit, permit, deps.clock.now(), breaker.settings), deps, trace)
  })
}

/** Counts each job's failure once, however often the job is polled. */
function watch(breaker: Breaker, permit: Permit, jobs: JobWatch, reply: Reply, exchange: Exchange, deps: Deps) {
  const { route, history, trace } = exchange
  const record = history.at(-1)
  watchJob(reply, jobs.rule, (outcome, report) => {
    if (record !== undefined) record.job = outcome
    const id = jobs.idOf?.(exchange, report)
    if (id !== undefined && !jobs.counted.add(`${outcome} ${id}`)) return
    deps.emit({ kind: 'job_seen', ref: route, outcome, id })
    const now = deps.clock.now()
    publish(breaker, settleJob(breaker.circuit, permit, outcome === 'failed', now, breaker.settings), deps, trace)
  })
}

function rejection(breaker: Breaker, now: number, bound: Bound = 'patience'): ProxyError {
  const who = [breaker.upstream, breaker.route, breaker.endpoint].filter((name) => name !== undefined).join(' ')
  if (breaker.circuit.mode === 'forced-open') {
    const retryAfterS = Math.ceil(breaker.settings.openForMs / 1000)
    return new ProxyError('breaker_forced', `circuit breaker of ${who} is held open by an operator`, { retryAfterS })
  }
  const waitMs = Math.max(0, breaker.circuit.halfOpenAt - now)
  const { patienceMs, halfOpenProbes } = breaker.settings
  const state =
    waitMs > 0 ? `is open for another ${writtenMs(Math.ceil(waitMs))}` : `is probing (${halfOpenProbes} at once)`
  const limit = bound === 'patience' ? { key: 'breaker.patience', value: writtenMs(patienceMs) } : undefined
  const why =
    limit === undefined ? 'too long for the time that the request has left' : `and breaker.patience is ${limit.value}`
  const detail = `circuit breaker of ${who} ${state}, ${why}`
  return new ProxyError('breaker_open', detail, { retryAfterS: Math.max(1, Math.ceil(waitMs / 1000)), limit })
}

/**
 * @param trace of the request whose attempt changed the state; undefined where a request only noticed the change.
 * @param kind of the failure that opened it: a status or a reason; '' where it was none.
 */
function publish(breaker: Breaker, transition: Transition | undefined, deps: Deps, trace?: Trace, kind = ''): void {
  if (transition === undefined) return
  const { upstream, route, endpoint } = breaker
  const failure = transition.to === 'open' && kind !== '' ? kind : undefined
  deps.emit({ kind: 'breaker', upstream, route, endpoint, ...transition, failure, trace })
  if (deps.peers !== undefined) tellPeers(breaker, transition, deps.peers, deps)
  callEach([...breaker.onChange])
}
