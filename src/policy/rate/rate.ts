import type { Timer } from '../../clock.ts'
import { writtenMs } from '../../config/kinds/units.ts'
import { ProxyError } from '../../errors.ts'
import type { Exchange, Layer } from '../exchange.ts'
import type { Deps } from '../../deps.ts'
import { usefulUntil } from '../paths/useful.ts'

export type RateLimit = {
  /** Largest number of calls within any `perMs`. */
  readonly requests: number
  readonly perMs: number
  /** Largest number of calls at once; the others go `perMs / requests` apart. */
  readonly burst: number
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
  readonly waiting: Waiter[]
  /** Timer for the first waiter. */
  timer: Timer | undefined
}

/**
 * The pacer's theoretical arrival time, as the calls since it was last in the past: `from + calls * perMs / requests`. A sum of
 * intervals would carry a rounding error from call to call, and the last call of a burst would not be at once.
 */
type Paced = { readonly from: number; readonly calls: number }

const UNPACED: Paced = { from: Number.NEGATIVE_INFINITY, calls: 0 }

/** Largest number of requests that wait for one upstream. */
const MAX_WAITING = 10_000

/**
 * Largest lateness in ms that the pacer makes up for. Timers fire a little late; where calls go few ms apart, the upstream
 * would otherwise get fewer than the rate allows. A longer pause is no reason for a burst.
 */
const MAX_LATE_MS = 10

type Waiter = {
  readonly onTurn: () => void
  /** Why a turn at that monotonic ms would be too late; undefined when it is in time. */
  readonly tooLate: (at: number) => string | undefined
  readonly refuse: (reason: string, waitMs: number) => void
}

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

/**
 * Changes the rate. Earlier calls count as if they had been made under the new rate, and waiters keep their order. A waiter
 * whose turn would now come too late is refused.
 */
export function repace(pace: Pace, rate: RateLimit, { clock }: Deps): void {
  const inOrder = remembered(pace, rate.requests)
  pace.rate = rate
  pace.sentAt = Float64Array.from(inOrder)
  pace.next = 0
  pace.paced = inOrder.slice(-rate.requests).reduce((paced, at) => countedAt(at, paced, rate), UNPACED)
  const now = clock.now()
  for (const waiter of pace.waiting.splice(0)) {
    const at = freeAt(pace, pace.waiting.length)
    const reason = waiter.tooLate(at)
    if (reason === undefined) pace.waiting.push(waiter)
    else waiter.refuse(reason, at - now)
  }
  if (pace.timer !== undefined) clock.cancel(pace.timer)
  pace.timer = undefined
  proceed(pace, now, clock)
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

/** Whether the layer paces the attempts of a request, or the hedges beside them. */
export type PacedCalls = 'attempts' | 'hedges'

/**
 * Limits the rate of calls to the upstream; the rest waits. A request whose turn would come after its deadline or
 * `queueTimeout` is refused at once, with the Retry-After. Stands twice in the pipeline: inside the retry for each attempt, and
 * inside the hedge for the attempts beside it, since the upstream counts all of them.
 * @param queueTimeoutMs longest wait; the exchange's deadline may be shorter.
 */
export const pacing =
  (queueTimeoutMs: number, pace: Pace, paced: PacedCalls, refusal: () => ProxyError | undefined, deps: Deps): Layer =>
  (next) =>
  async (exchange) => {
    if (paced === 'attempts' || !exchange.hasTurn) {
      const refused = refusal()
      if (refused !== undefined) throw refused
      await turn(queueTimeoutMs, pace, exchange, deps)
    }
    exchange.hasTurn = paced === 'attempts'
    return next(exchange)
  }

function turn(queueTimeoutMs: number, pace: Pace, exchange: Exchange, { clock }: Deps): Promise<void> | undefined {
  const now = clock.now()
  if (pace.freshSince !== undefined && now - pace.freshSince >= pace.rate.perMs) pace.freshSince = undefined
  const ahead = pace.waiting.length
  const turnAt = freeAt(pace, ahead)
  // While others wait, their timer is late: a call that came later must not overtake them.
  if (ahead === 0 && turnAt <= now) return take(pace, now, now)
  const tooLate = (at: number) => {
    const untilAt = usefulUntil(exchange, now)
    if (at - now <= queueTimeoutMs && at < untilAt) return undefined
    return untilAt - now <= queueTimeoutMs
      ? 'too late for the time that the request has left'
      : `later than rate.queueTimeout: ${writtenMs(queueTimeoutMs)} allows`
  }
  const reason = tooLate(turnAt) ?? (ahead < MAX_WAITING ? undefined : `and ${ahead} requests wait already`)
  if (reason !== undefined) throw refusedFor(reason, turnAt - now, pace.rate)
  return new Promise((resolve, reject) => {
    const leave = () => {
      exchange.client.unlisten(onGone)
      exchange.spent.queueMs += clock.now() - now
    }
    const waiter: Waiter = {
      onTurn: () => {
        leave()
        resolve()
      },
      tooLate,
      refuse: (why, waitMs) => {
        leave()
        reject(refusedFor(why, waitMs, pace.rate))
      },
    }
    const onGone = () => {
      pace.waiting.splice(pace.waiting.indexOf(waiter), 1)
      leave()
      reject(new ProxyError('client_gone'))
    }
    pace.waiting.push(waiter)
    exchange.client.listen(onGone)
    arm(pace, clock)
  })
}

function refusedFor(reason: string, waitMs: number, { requests, perMs }: RateLimit): ProxyError {
  const retryAfterS = Math.max(1, Math.ceil(waitMs / 1000))
  const limit = `rate.requests: ${requests} within ${writtenMs(perMs)}`
  return new ProxyError('rate', `${limit}; the next call may go in ${retryAfterS} s, ${reason}`, {
    retryAfterS,
    limit: { key: 'rate.requests', value: requests },
  })
}

/** Monotonic ms at which a call with `ahead` waiters before it may go: the later of what window and pacer allow. */
const freeAt = (pace: Pace, ahead: number): number => Math.max(windowFreeAt(pace, ahead), pacerFreeAt(pace, ahead))

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
function take(pace: Pace, now: number, dueAt: number): undefined {
  pace.sentAt[pace.next] = now
  pace.next = (pace.next + 1) % pace.sentAt.length
  pace.paced = countedAt(dueAt, pace.paced, pace.rate)
  if (pace.freshSince !== undefined) pace.freshSince = now
}

function arm(pace: Pace, clock: Deps['clock']): void {
  if (pace.timer !== undefined || pace.waiting.length === 0) return
  const dueAt = freeAt(pace, 0)
  pace.timer = clock.after(dueAt - clock.now(), () => {
    pace.timer = undefined
    proceed(pace, Math.max(dueAt, clock.now() - MAX_LATE_MS), clock)
  })
}

/** Admits the waiters whose turn has come, and sets the timer for the next. @param since when the first turn was due. */
function proceed(pace: Pace, since: number, clock: Deps['clock']): void {
  const now = clock.now()
  while (pace.waiting.length > 0) {
    const dueAt = freeAt(pace, 0)
    if (dueAt > now) break
    take(pace, now, Math.max(dueAt, since))
    pace.waiting.shift()?.onTurn()
  }
  arm(pace, clock)
}
