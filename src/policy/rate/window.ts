/** Arithmetic of one upstream's rate: an exact window, and a pacer within it. No clock, no timer. */

import type { Timer } from '../../clock.ts'
import type { Place } from '../shared/line.ts'

export type RateLimit = {
  /** Largest number of calls within any `perMs`. */
  readonly requests: number
  readonly perMs: number
  /** Largest number of calls at once; the others go `perMs / requests` apart. */
  readonly burst: number
  /** Longest wait of a request for its turn; its deadline may be shorter. */
  readonly queueTimeoutMs: number
}

/**
 * The rate of one upstream: an exact window, a pacer within it, and the waiters in order of arrival. The window is not a token
 * bucket: a full bucket admits twice the rate after a pause, and an upstream that counts by the window answers that with 429.
 * The pacer spreads the calls: without it the first ones use up the window, and all others are refused until its end.
 */
export type Pace = {
  rate: RateLimit
  /** Times of the last calls as a ring, at least `rate.requests` of them. */
  sentAt: Float64Array
  /** Index of the oldest time: the next one to be overwritten. */
  next: number
  paced: Paced
  /**
   * Time of the start or of the latest call, while no `perMs` without a call has passed since the start; undefined afterwards.
   * Until then there is no burst: the calls before a restart are forgotten, and the upstream may still count them.
   */
  freshSince: number | undefined
  readonly waiting: Place[]
  /** Timer for the first waiter. */
  timer: Timer | undefined
}

/**
 * The pacer's theoretical arrival time, as the calls since it was last in the past: `from + calls * perMs / requests`. A sum of
 * intervals would carry a rounding error from call to call, and the last call of a burst would not be at once.
 */
type Paced = { readonly from: number; readonly calls: number }

const UNPACED: Paced = { from: Number.NEGATIVE_INFINITY, calls: 0 }

/** @param now monotonic ms. */
export const freshPace = (rate: RateLimit, now: number): Pace => ({
  rate,
  sentAt: new Float64Array(rate.requests).fill(Number.NEGATIVE_INFINITY),
  next: 0,
  paced: UNPACED,
  freshSince: now,
  waiting: [],
  timer: undefined,
})

/** Changes the rate. Earlier calls count as if they had been made under the new rate. */
export function adapt(pace: Pace, rate: RateLimit): void {
  const inOrder = remembered(pace, rate.requests)
  pace.rate = rate
  pace.sentAt = Float64Array.from(inOrder)
  pace.next = 0
  pace.paced = inOrder.slice(-rate.requests).reduce((paced, at) => countedAt(at, paced, rate), UNPACED)
}

/**
 * Times of the last calls in order, at least `requests` of them and never fewer than before: a rate that is lowered and raised
 * again has forgotten nothing. Calls beyond the ring count as if made as late as the window allowed, so that a longer window
 * does not admit more than its number.
 */
function remembered({ sentAt, next, rate }: Pace, requests: number): number[] {
  const known = [...sentAt.subarray(next), ...sentAt.subarray(0, next)]
  const missing = Math.max(0, requests - known.length)
  const forgotten = Array.from({ length: missing }, (_, i) => {
    const before = missing - i
    const windows = Math.ceil(before / rate.requests)
    return (known[windows * rate.requests - before] ?? Number.NEGATIVE_INFINITY) - windows * rate.perMs
  })
  return [...forgotten, ...known]
}

/** Monotonic ms at which a call with `ahead` waiters before it may go: the later of what window and pacer allow. */
export const freeAt = (pace: Pace, ahead: number): number =>
  Math.max(windowFreeAt(pace, ahead), pacerFreeAt(pace, ahead))

function windowFreeAt({ sentAt, next, rate: { requests, perMs } }: Pace, ahead: number): number {
  const oldestInWindow = next + sentAt.length - requests
  const before = sentAt[(oldestInWindow + (ahead % requests)) % sentAt.length] ?? Number.NEGATIVE_INFINITY
  return before + perMs * (1 + Math.floor(ahead / requests))
}

/** The window delays no call enough to change the pacer's later times: `requests` intervals are as long as the window. */
function pacerFreeAt({ paced, rate, freshSince }: Pace, ahead: number): number {
  const atOnce = freshSince === undefined ? rate.burst : 1
  return paced.from + intervals(paced.calls + ahead - (atOnce - 1), rate)
}

const countedAt = (at: number, { from, calls }: Paced, rate: RateLimit): Paced =>
  from + intervals(calls, rate) <= at ? { from: at, calls: 1 } : { from, calls: calls + 1 }

/** Length of so many intervals in ms. Multiplied first, so that `requests` of them are exactly a window. */
const intervals = (count: number, { requests, perMs }: RateLimit): number => (count * perMs) / requests

/** @param dueAt time by which the pacer counts the call; its timer may have been late. */
export function take(pace: Pace, now: number, dueAt: number): void {
  pace.sentAt[pace.next] = now
  pace.next = (pace.next + 1) % pace.sentAt.length
  pace.paced = countedAt(dueAt, pace.paced, pace.rate)
  if (pace.freshSince !== undefined) pace.freshSince = now
}
