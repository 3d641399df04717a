import type { Timer } from '../../clock.ts'
import { callEach } from '../call-each.ts'
import { ProxyError } from '../../errors.ts'
import type { Deps } from '../../deps.ts'
import type { Exchange } from '../exchange.ts'
import type { Gate } from '../gate.ts'
import { usefulUntil } from '../paths/useful.ts'
import { type Place, waitInLine } from '../shared/line.ts'
import { type Breaker, rejectionOf } from './breaker.ts'
import { admits, freeProbes, hasten, isPlain, stateOf } from './circuit.ts'

/** Calls that wait until a breaker of their route admits them, in order of arrival. */
export type Line = {
  readonly waiting: Place[]
  /** Calls that were let go and have not reached their breaker yet. */
  entering: number
  timer: Timer | undefined
}

export const freshLine = (): Line => ({ waiting: [], entering: 0, timer: undefined })

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
export const patient = (rules: PatienceRules, breakers: readonly Breaker[], line: Line, deps: Deps): Gate => ({
  enter: (exchange) => {
    if (line.waiting.length === 0 && roomFor(breakers, line, deps) > 0) {
      exchange.entry = new Entry(line)
      return undefined
    }
    return turn(rules, breakers, line, exchange, deps)
  },
  replied: (exchange) => {
    exchange.refusedAt = Number.NEGATIVE_INFINITY
    leave(exchange, breakers, line, deps)
  },
  failed: (exchange, error) => {
    leave(exchange, breakers, line, deps)
    // Another call took the slot for the probe, or the breaker opened while this one waited for something else.
    const isRefused = error instanceof ProxyError && error.code === 'breaker_open'
    const now = isRefused ? deps.clock.now() : Number.NEGATIVE_INFINITY
    const mayWait = exchange.refusedAt < now
    exchange.refusedAt = mayWait ? now : Number.NEGATIVE_INFINITY
    return mayWait
  },
})

/** A call that was let go, until its breaker has admitted it or the call is over. */
class Entry {
  readonly #line: Line
  isOpen = true

  constructor(line: Line) {
    this.#line = line
    line.entering += 1
  }

  close(): void {
    if (this.isOpen) this.#line.entering -= 1
    this.isOpen = false
  }
}

function leave(exchange: Exchange, breakers: readonly Breaker[], line: Line, deps: Deps): void {
  const { entry } = exchange
  if (entry === undefined) return
  const wasEntering = entry.isOpen
  entry.close()
  exchange.entry = undefined
  if (wasEntering && line.waiting.length > 0) letGo(breakers, line, deps)
}

/** Number of calls that the breakers would admit now. Infinity when one of them is closed. */
function roomFor(breakers: readonly Breaker[], line: Line, { clock }: Deps): number {
  for (const { circuit } of breakers) if (isPlain(circuit)) return Number.POSITIVE_INFINITY
  const now = clock.now()
  let probes = 0
  for (const { circuit, settings } of breakers) {
    const isHalfOpen = circuit.mode === 'auto' && stateOf(circuit, now) === 'half-open'
    if (isHalfOpen) probes += freeProbes(circuit, now, settings)
    else if (admits(circuit, now, settings)) return Number.POSITIVE_INFINITY
  }
  return probes - line.entering
}

/** Rejects with ProxyError when the wait would be too long: at once, since most refusals are of an open breaker. */
function turn(
  { patienceMs, queue }: PatienceRules,
  breakers: readonly Breaker[],
  line: Line,
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
  if (isForced || halfOpenAt(breakers, since) > untilAt || untilAt <= since || line.waiting.length >= queue)
    return Promise.reject(rejectionOf(breakers, deps, bound))
  const late = () => rejectionOf(breakers, deps, bound)
  const waited = waitInLine(line.waiting, exchange, { as: 'breakerMs', untilAt: () => untilAt, late }, clock)
  if (line.waiting.length === 1) listen(breakers, line, deps)
  return waited.then(
    () => {
      exchange.entry = new Entry(line)
    },
    (error: unknown) => {
      if (exchange.client.gone) hastenAll(breakers)
      throw error
    },
  )
}

/** Shortens the open time to what the clients' own patience can bear: one of them has left, or would have to. */
function hastenAll(breakers: readonly Breaker[]): void {
  for (const { circuit, settings, onChange } of breakers) {
    hasten(circuit, settings)
    callEach([...onChange])
  }
}

/** Looks at the breakers until nobody waits. */
function listen(breakers: readonly Breaker[], line: Line, deps: Deps): void {
  const onChange = () => {
    letGo(breakers, line, deps)
    if (line.waiting.length > 0) return arm()
    for (const breaker of breakers) breaker.onChange.delete(onChange)
    if (line.timer !== undefined) deps.clock.cancel(line.timer)
    line.timer = undefined
  }
  const arm = () => {
    if (line.timer !== undefined) deps.clock.cancel(line.timer)
    const now = deps.clock.now()
    // Half open with all slots taken: the end of a probe, or of its lease, makes room.
    const inMs = Math.max(halfOpenAt(breakers, now) - now, LOOK_AGAIN_MS)
    line.timer = deps.clock.after(inMs, onChange)
  }
  for (const breaker of breakers) breaker.onChange.add(onChange)
  arm()
}

/** Time in ms after which the breakers are looked at again although nothing was reported. */
const LOOK_AGAIN_MS = 50

/** Lets as many waiters go as the breakers admit. */
function letGo(breakers: readonly Breaker[], line: Line, deps: Deps): void {
  let room = roomFor(breakers, line, deps)
  for (; room > 0 && line.waiting.length > 0; room -= 1) {
    const isFailing = ({ exchange }: Place) => breakers.some(({ circuit }) => circuit.failing.has(exchange.group.key))
    const at = room === Number.POSITIVE_INFINITY ? 0 : line.waiting.findIndex((waiter) => !isFailing(waiter))
    const [waiter] = line.waiting.splice(Math.max(0, at), 1)
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
