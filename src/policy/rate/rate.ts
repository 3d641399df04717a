import type { Clock } from '../../clock.ts'
import { writtenMs } from '../../config/kinds/units.ts'
import { ProxyError } from '../../errors.ts'
import type { Exchange, Layer } from '../exchange.ts'
import type { Deps } from '../../deps.ts'
import { usefulUntil } from '../paths/useful.ts'
import { type Place, waitInLine } from '../shared/line.ts'
import { adapt, freeAt, type Pace, type RateLimit, take } from './window.ts'

/** Largest number of requests that wait for one upstream. */
const MAX_WAITING = 10_000

/**
 * Largest lateness in ms that the pacer makes up for. Timers fire a little late; where calls go few ms apart, the upstream
 * would otherwise get fewer than the rate allows. A longer pause is no reason for a burst.
 */
const MAX_LATE_MS = 10

/** Changes the rate. Waiters keep their order; one whose turn would now come too late is refused. */
export function repace(pace: Pace, rate: RateLimit, { clock }: Deps): void {
  adapt(pace, rate)
  const now = clock.now()
  for (const waiter of pace.waiting.splice(0)) {
    const at = freeAt(pace, pace.waiting.length)
    const reason = whyTooLate(at, waiter, pace.rate, now)
    if (reason === undefined) pace.waiting.push(waiter)
    else waiter.refuse(refusedFor(reason, at - now, pace.rate))
  }
  if (pace.timer !== undefined) clock.cancel(pace.timer)
  pace.timer = undefined
  proceed(pace, now, clock)
}

/** Whether the layer paces the attempts of a request, or the hedges beside them. */
export type PacedCalls = 'attempts' | 'hedges'

/**
 * Limits the rate of calls to the upstream; the rest waits, in the order of their requests' arrival. A request whose turn would
 * come after its deadline or `queueTimeout` is refused at once, with the Retry-After. Stands twice in the pipeline: inside the
 * retry for each attempt, and inside the hedge for the attempts beside it, since the upstream counts all of them.
 */
export const pacing =
  (pace: Pace, paced: PacedCalls, refusal: () => ProxyError | undefined, deps: Deps): Layer =>
  (next) =>
  async (exchange) => {
    if (paced === 'attempts' || !exchange.hasTurn) {
      const refused = refusal()
      if (refused !== undefined) throw refused
      await turn(pace, exchange, deps)
    }
    exchange.hasTurn = paced === 'attempts'
    return next(exchange)
  }

function turn(pace: Pace, exchange: Exchange, { clock }: Deps): Promise<void> | undefined {
  const now = clock.now()
  const { rate, waiting } = pace
  if (pace.freshSince !== undefined && now - pace.freshSince >= rate.perMs) pace.freshSince = undefined
  // While others wait, their timer is late: a call that came later must not overtake them.
  const ahead = waiting.findLastIndex(({ startedAt }) => startedAt <= exchange.startedAt) + 1
  const turnAt = freeAt(pace, ahead)
  if (waiting.length === 0 && turnAt <= now) {
    take(pace, now, now)
    return undefined
  }
  const reason =
    whyTooLate(turnAt, { exchange, since: now }, rate, now) ??
    (waiting.length < MAX_WAITING ? undefined : `and ${waiting.length} requests wait already`)
  if (reason !== undefined) throw refusedFor(reason, turnAt - now, rate)
  const untilAt = () => lastTurnAt({ exchange, since: now }, pace.rate, clock.now()) + MAX_LATE_MS
  const late = () => {
    const at = freeAt(pace, 0)
    return refusedFor('after requests that came before it', at - clock.now(), pace.rate)
  }
  const waited = waitInLine(waiting, exchange, { as: 'queueMs', untilAt, late }, clock)
  arm(pace, clock)
  return waited
}

type Waiting = Pick<Place, 'exchange' | 'since'>

/** Monotonic ms of the last turn that is of use to a waiter. */
const lastTurnAt = ({ exchange, since }: Waiting, { queueTimeoutMs }: RateLimit, now: number) =>
  Math.min(since + queueTimeoutMs, usefulUntil(exchange, now))

/** Why a turn at that monotonic ms would be too late; undefined when it is in time. */
function whyTooLate(at: number, { exchange, since }: Waiting, { queueTimeoutMs }: RateLimit, now: number) {
  const untilAt = usefulUntil(exchange, now)
  if (at - since <= queueTimeoutMs && at < untilAt) return undefined
  return untilAt - since <= queueTimeoutMs
    ? 'too late for the time that the request has left'
    : `later than rate.queueTimeout: ${writtenMs(queueTimeoutMs)} allows`
}

function refusedFor(reason: string, waitMs: number, { requests, perMs }: RateLimit): ProxyError {
  const retryAfterS = Math.max(1, Math.ceil(waitMs / 1000))
  const limit = `rate.requests: ${requests} within ${writtenMs(perMs)}`
  return new ProxyError('rate', `${limit}; the next call may go in ${retryAfterS} s, ${reason}`, {
    retryAfterS,
    limit: { key: 'rate.requests', value: requests },
  })
}

/** Sets the timer for the first waiter. */
function arm(pace: Pace, clock: Clock): void {
  if (pace.timer !== undefined || pace.waiting.length === 0) return
  const dueAt = freeAt(pace, 0)
  pace.timer = clock.after(dueAt - clock.now(), () => {
    pace.timer = undefined
    proceed(pace, Math.max(dueAt, clock.now() - MAX_LATE_MS), clock)
  })
}

/** Admits the waiters whose turn has come, and sets the timer for the next. @param since when the first turn was due. */
function proceed(pace: Pace, since: number, clock: Clock): void {
  const now = clock.now()
  while (pace.waiting.length > 0) {
    const dueAt = freeAt(pace, 0)
    if (dueAt > now) break
    take(pace, now, Math.max(dueAt, since))
    pace.waiting.shift()?.go()
  }
  arm(pace, clock)
}
