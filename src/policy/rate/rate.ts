import type { Clock } from '../../clock.ts'
import { writtenMs } from '../../config/kinds/units.ts'
import { ProxyError } from '../../errors.ts'
import type { RateSnapshot } from '../../events.ts'
import type { Exchange, Layer } from '../exchange.ts'
import type { Deps } from '../../deps.ts'
import { usefulUntil } from '../paths/useful.ts'
import { type Place, waitInLine } from '../shared/line.ts'
import { shareOf, sharedFreeAt, tend, turnNow, useTurn } from './shared-turns.ts'
import { adapt, freeAt, type Pace, type RateLimit, type SharedTurns, take } from './window.ts'

/** Largest number of requests that wait for one upstream. */
const MAX_WAITING = 10_000

/**
 * Largest lateness in ms that the pacer makes up for. Timers fire a little late; where calls go few ms apart, the upstream
 * would otherwise get fewer than the rate allows. A longer pause is no reason for a burst.
 */
const MAX_LATE_MS = 10

/** Changes the rate. Waiters keep their order; one whose turn would now come too late is refused. */
export function repace(pace: Pace, rate: RateLimit, { clock, peers }: Deps): void {
  const { shared } = pace
  if (shared !== undefined) shared.rate = rate
  adapt(pace, shared?.isAlone && peers !== undefined ? shareOf(rate, peers.pods()) : rate)
  startAgain(pace, clock)
}

/** Looks at all waiters anew: their turns have changed. */
function startAgain(pace: Pace, clock: Clock): void {
  const now = clock.now()
  for (const waiter of pace.waiting.splice(0)) {
    const at = dueAt(pace, pace.waiting.length, now)
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

function turn(pace: Pace, exchange: Exchange, deps: Deps): Promise<void> | undefined {
  const { clock } = deps
  const now = clock.now()
  const { rate, waiting } = pace
  if (pace.freshSince !== undefined && now - pace.freshSince >= rate.perMs) pace.freshSince = undefined
  // While others wait, their timer is late: a call that came later must not overtake them.
  const ahead = waiting.findLastIndex(({ startedAt }) => startedAt <= exchange.startedAt) + 1
  if (waiting.length === 0 && takeNow(pace, now, now)) {
    tend(pace, onTurns, deps)
    return undefined
  }
  const turnAt = dueAt(pace, ahead, now)
  const reason =
    whyTooLate(turnAt, { exchange, since: now }, rate, now) ??
    (waiting.length < MAX_WAITING ? undefined : `and ${waiting.length} requests wait already`)
  if (reason !== undefined) throw refusedFor(reason, turnAt - now, rate)
  const untilAt = () => lastTurnAt({ exchange, since: now }, pace.rate, clock.now()) + MAX_LATE_MS
  const late = () => {
    const at = dueAt(pace, 0, clock.now())
    return refusedFor('after requests that came before it', at - clock.now(), pace.rate)
  }
  const waited = waitInLine(waiting, exchange, { as: 'queueMs', untilAt, late }, clock)
  arm(pace, clock)
  tend(pace, onTurns, deps)
  return waited
}

/** The turns of the fleet, where it answers. */
const together = ({ shared }: Pace): SharedTurns | undefined => (shared?.isAlone === false ? shared : undefined)

/** For a request that would come now, behind all that wait. */
export function paceSnapshot(pace: Pace, now: number): RateSnapshot {
  const { waiting, rate, shared } = pace
  return {
    waiting: waiting.length,
    nextMs: Math.max(0, dueAt(pace, waiting.length, now) - now),
    queueTimeoutMs: rate.queueTimeoutMs,
    turnsOf: shared === undefined ? 'sidecar' : shared.isAlone ? 'own' : 'fleet',
  }
}

/** Monotonic ms at which a call with `ahead` waiters before it may go, as far as is known. */
function dueAt(pace: Pace, ahead: number, now: number): number {
  const shared = together(pace)
  return shared === undefined ? freeAt(pace, ahead) : sharedFreeAt(shared, ahead, now)
}

/**
 * Takes a turn, when there is one.
 * @param since when the first turn was due, by the pacer.
 */
function takeNow(pace: Pace, now: number, since: number): boolean {
  const shared = together(pace)
  const turn = shared && turnNow(shared, now)
  const freeSince = shared === undefined ? freeAt(pace, 0) : now
  if (shared === undefined ? freeSince > now : turn === undefined) return false
  take(pace, now, Math.max(freeSince, since))
  if (pace.shared !== undefined) useTurn(pace.shared, turn, now)
  return true
}

/** Turns of the fleet came, or the own share began to hold. */
function onTurns(pace: Pace, { clock }: Deps): void {
  if (pace.shared?.isAlone === false && pace.shared.turns.length > 0) proceed(pace, clock.now(), clock)
  else startAgain(pace, clock)
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

/** Sets the timer for the first waiter. Without a turn of the fleet there is none: its answer lets the waiters go. */
function arm(pace: Pace, clock: Clock): void {
  if (pace.timer !== undefined || pace.waiting.length === 0) return
  const shared = together(pace)
  const firstAt = shared === undefined ? freeAt(pace, 0) : shared.turns[0]?.at
  if (firstAt === undefined) return
  pace.timer = clock.after(firstAt - clock.now(), () => {
    pace.timer = undefined
    proceed(pace, Math.max(firstAt, clock.now() - MAX_LATE_MS), clock)
  })
}

/** Admits the waiters whose turn has come, and sets the timer for the next. @param since when the first turn was due. */
function proceed(pace: Pace, since: number, clock: Clock): void {
  const now = clock.now()
  while (pace.waiting.length > 0 && takeNow(pace, now, since)) pace.waiting.shift()?.go()
  arm(pace, clock)
}
