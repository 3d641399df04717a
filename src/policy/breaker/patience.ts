import type { Timer } from '../../clock.ts'
import { callEach } from '../call-each.ts'
import { ProxyError } from '../../errors.ts'
import type { Deps } from '../../deps.ts'
import type { Exchange, Layer } from '../exchange.ts'
import { usefulUntil } from '../paths/useful.ts'
import { type Place, waitInLine } from '../shared/line.ts'
import { type Breaker, rejectionOf } from './breaker.ts'
import { admits, freeProbes, hasten, stateOf } from './circuit.ts'

/** Calls that wait until a breaker of their route admits them, in order of arrival. */
export type Gate = {
  readonly waiting: Place[]
  /** Calls that were let go and have not reached their breaker yet. */
  entering: number
  timer: Timer | undefined
}

export const freshGate = (): Gate => ({ waiting: [], entering: 0, timer: undefined })

export type PatienceRules = {
  /** Longest wait of one request for open breakers, all its waits together. */
  readonly patienceMs: number
  /** Largest number of calls that wait. */
  readonly queue: number
}

/**
 * Makes a call wait for an open breaker where that is short: where the breaker becomes half open within `patience` and before
 * the call would be too late to be of use. Otherwise it is rejected at once. When the breaker is half open, as many calls go as
 * it admits probes, first those of paths that did not fail; the rest goes once it is closed. A short outage is not seen at all,
 * a long one costs a caller no more than `patience`.
 */
export const patient =
  (rules: PatienceRules, breakers: readonly Breaker[], gate: Gate, deps: Deps): Layer =>
  (next) =>
  async (exchange) => {
    let refusedAt = Number.NEGATIVE_INFINITY
    for (;;) {
      if (gate.waiting.length > 0 || roomFor(breakers, gate, deps) <= 0) {
        await turn(rules, breakers, gate, exchange, deps)
      }
      const leave = enter(exchange, breakers, gate, deps)
      try {
        return await next(exchange)
      } catch (error) {
        // Another call took the slot for the probe, or the breaker opened while this one waited for something else.
        const now = deps.clock.now()
        const mayWait = error instanceof ProxyError && error.code === 'breaker_open' && refusedAt < now
        if (!mayWait) throw error
        refusedAt = now
      } finally {
        leave()
      }
    }
  }

/** Counts a call as entering until its breaker has admitted it, or the call is over. */
function enter(exchange: Exchange, breakers: readonly Breaker[], gate: Gate, deps: Deps): () => void {
  gate.entering += 1
  let isEntering = true
  const entered = () => {
    if (isEntering) gate.entering -= 1
    isEntering = false
  }
  exchange.onAdmitted = entered
  return () => {
    const wasEntering = isEntering
    entered()
    exchange.onAdmitted = undefined
    if (wasEntering && gate.waiting.length > 0) letGo(breakers, gate, deps)
  }
}

/** Number of calls that the breakers would admit now. Infinity when one of them is closed. */
function roomFor(breakers: readonly Breaker[], gate: Gate, { clock }: Deps): number {
  const now = clock.now()
  let probes = 0
  for (const { circuit, settings } of breakers) {
    const isHalfOpen = circuit.mode === 'auto' && stateOf(circuit, now) === 'half-open'
    if (isHalfOpen) probes += freeProbes(circuit, now, settings)
    else if (admits(circuit, now, settings)) return Number.POSITIVE_INFINITY
  }
  return probes - gate.entering
}

/** @throws ProxyError when the wait would be too long. */
async function turn(
  { patienceMs, queue }: PatienceRules,
  breakers: readonly Breaker[],
  gate: Gate,
  exchange: Exchange,
  deps: Deps,
): Promise<void> {
  const { clock } = deps
  const since = clock.now()
  const patienceAt = since + patienceMs - exchange.spent.breakerMs
  const untilAt = Math.min(patienceAt, usefulUntil(exchange, since))
  const bound = untilAt < patienceAt ? 'deadline' : 'patience'
  const opensAt = halfOpenAt(breakers, since)
  if (opensAt > untilAt && opensAt <= patienceAt) hastenAll(breakers)
  const isForced = breakers.every(({ circuit }) => circuit.mode === 'forced-open')
  if (isForced || halfOpenAt(breakers, since) > untilAt || untilAt <= since || gate.waiting.length >= queue)
    throw rejectionOf(breakers, deps, bound)
  const late = () => rejectionOf(breakers, deps, bound)
  const waited = waitInLine(gate.waiting, exchange, { as: 'breakerMs', untilAt: () => untilAt, late }, clock)
  if (gate.waiting.length === 1) listen(breakers, gate, deps)
  try {
    await waited
  } catch (error) {
    if (exchange.client.gone) hastenAll(breakers)
    throw error
  }
}

/** Shortens the open time to what the clients' own patience can bear: one of them has left, or would have to. */
function hastenAll(breakers: readonly Breaker[]): void {
  for (const { circuit, settings, onChange } of breakers) {
    hasten(circuit, settings)
    callEach([...onChange])
  }
}

/** Looks at the breakers until nobody waits. */
function listen(breakers: readonly Breaker[], gate: Gate, deps: Deps): void {
  const onChange = () => {
    letGo(breakers, gate, deps)
    if (gate.waiting.length > 0) return arm()
    for (const breaker of breakers) breaker.onChange.delete(onChange)
    if (gate.timer !== undefined) deps.clock.cancel(gate.timer)
    gate.timer = undefined
  }
  const arm = () => {
    if (gate.timer !== undefined) deps.clock.cancel(gate.timer)
    const now = deps.clock.now()
    // Half open with all slots taken: the end of a probe, or of its lease, makes room.
    const inMs = Math.max(halfOpenAt(breakers, now) - now, LOOK_AGAIN_MS)
    gate.timer = deps.clock.after(inMs, onChange)
  }
  for (const breaker of breakers) breaker.onChange.add(onChange)
  arm()
}

/** Time in ms after which the breakers are looked at again although nothing was reported. */
const LOOK_AGAIN_MS = 50

/** Lets as many waiters go as the breakers admit. */
function letGo(breakers: readonly Breaker[], gate: Gate, deps: Deps): void {
  let room = roomFor(breakers, gate, deps)
  for (; room > 0 && gate.waiting.length > 0; room -= 1) {
    const isFailing = ({ exchange }: Place) => breakers.some(({ circuit }) => circuit.failing.has(exchange.group.key))
    const at = room === Number.POSITIVE_INFINITY ? 0 : gate.waiting.findIndex((waiter) => !isFailing(waiter))
    const [waiter] = gate.waiting.splice(Math.max(0, at), 1)
    waiter?.go()
  }
}

/**
 * Whether a request would still find the breakers open at `at`, and for longer than it may wait then.
 * @param at monotonic ms at which it would come to them.
 */
export function isOutOfReach(
  breakers: readonly Breaker[],
  at: number,
  patienceMs: number,
  exchange: Exchange,
  { clock }: Deps,
): boolean {
  const now = clock.now()
  if (breakers.some(({ circuit }) => circuit.mode === 'observe' || circuit.mode === 'forced-closed')) return false
  const untilAt = Math.min(at + patienceMs - exchange.spent.breakerMs, usefulUntil(exchange, now))
  return halfOpenAt(breakers, now) > Math.max(at, untilAt)
}

/** Monotonic ms at which the first breaker becomes half open; now when one is. */
function halfOpenAt(breakers: readonly Breaker[], now: number): number {
  let first = Number.POSITIVE_INFINITY
  for (const { circuit } of breakers) {
    if (circuit.mode === 'forced-open') continue
    first = Math.min(first, stateOf(circuit, now) === 'open' ? circuit.halfOpenAt : now)
  }
  return first
}
