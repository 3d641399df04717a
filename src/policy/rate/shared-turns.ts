/**
 * A rate that a fleet shares. Turns are taken ahead of the calls in small leases, so that a call waits for no round trip while
 * there are some. Where Redis does not answer within ANSWER_MS, the sidecar's own share of the rate holds until it does.
 */

import type { Deps } from '../../deps.ts'
import type { Peers, Turn, Turns } from '../../peers.ts'
import { adapt, callsSince, lastCallAt, type Pace, type RateLimit, type SharedTurns } from './window.ts'

/** Largest lease, and its share of the window where that is less. */
const MAX_AHEAD_MS = 1_000
const AHEAD_SHARE = 0.1
/** Time in ms after which Redis is asked again while it does not answer. */
const AGAIN_MS = 250
/** Time in ms between two questions while calls are remembered, so that a window that Redis has lost is noticed. */
const LOOK_MS = 1_000

/** Share of a lease after which more turns are asked for when there were too few, and what chance adds to it. */
const ASK_SHARE = 0.4
const ASK_JITTER = 0.2
/** Calls in the time of a lease below which no turn is taken ahead: it would mostly be given back. */
const WORTH_A_TURN = 0.25
/** Reports within a window, at least: a call counts from the end of its turn until it is reported. */
const REPORTS = 4
/** Number of leases over which the calls that are expected are averaged. */
const SMOOTHED_LEASES = 4

/** Called with the turns that have come, or once the own share holds. */
type Proceed = (pace: Pace, deps: Deps) => void

const aheadMs = ({ perMs }: RateLimit): number => Math.min(MAX_AHEAD_MS, perMs * AHEAD_SHARE)

/** A sidecar's own share of a rate: at least one call. */
export const shareOf = (rate: RateLimit, pods: number): RateLimit => ({
  ...rate,
  requests: Math.max(1, Math.floor(rate.requests / pods)),
  burst: Math.max(1, Math.floor(rate.burst / pods)),
})

/** The turn that may be used now; undefined without one. Drops those whose time is over. */
export function turnNow({ turns, returned }: SharedTurns, now: number): Turn | undefined {
  for (let first = turns[0]; first !== undefined && first.untilAt < now; first = turns[0]) {
    turns.shift()
    returned.push(first.id)
  }
  const [first] = turns
  return first !== undefined && first.at <= now ? first : undefined
}

/** Takes a turn for a call that is made now; without one the call is reported as made under the own share. */
export function useTurn(shared: SharedTurns, turn: Turn | undefined, now: number): void {
  if (turn !== undefined) shared.turns.shift()
  else shared.own += 1
  shared.taken += 1
  shared.used.push({ id: turn?.id ?? `own${shared.own}`, at: now })
  if (shared.used.length > shared.rate.requests) shared.used.shift()
}

/** Monotonic ms at which a call with `ahead` waiters before it may go, as far as is known. */
export function sharedFreeAt({ turns, nextAt, rate }: SharedTurns, ahead: number, now: number): number {
  const turn = turns[ahead]
  if (turn !== undefined) return turn.at
  return Math.max(now, nextAt) + ((ahead - turns.length) * rate.perMs) / rate.requests
}

/** Asks and reports what is due, and sets the timer for what will be. */
export function tend(pace: Pace, proceed: Proceed, deps: Deps): void {
  const { shared } = pace
  const { peers, clock } = deps
  if (shared === undefined || peers === undefined || shared.isAsking) return
  const now = clock.now()
  turnNow(shared, now)
  const dueAt = askAt(pace, shared, peers, now)
  if (dueAt <= now) return ask(pace, shared, peers, proceed, deps)
  if (shared.timer !== undefined && shared.timer.dueAt <= dueAt) return
  if (shared.timer !== undefined) clock.cancel(shared.timer.timer)
  shared.timer = undefined
  if (dueAt === Number.POSITIVE_INFINITY) return
  const timer = clock.after(dueAt - now, () => {
    shared.timer = undefined
    tend(pace, proceed, deps)
  })
  shared.timer = { timer, dueAt }
}

/** When Redis is to be asked next. */
function askAt(pace: Pace, shared: SharedTurns, peers: Peers, now: number): number {
  const { rate, askedAt, isAlone, nextAt, turns, used, returned } = shared
  if (isAlone) return askedAt + AGAIN_MS
  const ahead = aheadMs(rate)
  const target = targetOf(pace, shared, peers)
  const isShort = pace.waiting.length > turns.length || turns.length * 2 <= target
  if (target > turns.length && isShort) return Math.max(nextAt - ahead, shared.notBefore)
  const isToReport = used.length + returned.length > 0
  const isToLook = lastCallAt(pace) > now - rate.perMs
  return Math.min(
    turns[0]?.untilAt ?? Number.POSITIVE_INFINITY,
    isToReport ? askedAt + Math.min(LOOK_MS, rate.perMs / REPORTS) : Number.POSITIVE_INFINITY,
    isToLook ? askedAt + LOOK_MS : Number.POSITIVE_INFINITY,
  )
}

/** Turns of use within the next lease: for the waiters, and for as many calls as come in that time. At most a fair share. */
function targetOf(pace: Pace, { rate, comingPerMs }: SharedTurns, peers: Peers): number {
  const ahead = aheadMs(rate)
  const usual = comingPerMs * ahead
  const coming = usual < WORTH_A_TURN ? 0 : Math.ceil(usual + Math.sqrt(usual))
  const fair = Math.ceil((ahead / rate.perMs) * (rate.requests / peers.pods()))
  const atOnce = Math.ceil(rate.burst / peers.pods())
  return Math.min(pace.waiting.length + coming, Math.max(fair, atOnce, 1))
}

function ask(pace: Pace, shared: SharedTurns, peers: Peers, proceed: Proceed, deps: Deps): void {
  const { clock } = deps
  const now = clock.now()
  const { rate, taken, askedAt } = shared
  const sinceMs = Math.max(1, now - askedAt)
  const weight = sinceMs / (sinceMs + SMOOTHED_LEASES * aheadMs(rate))
  shared.comingPerMs += (taken / sinceMs - shared.comingPerMs) * weight
  shared.taken = 0
  shared.askedAt = now
  shared.isAsking = true
  const [used, returned] = [shared.used.splice(0), shared.returned.splice(0)]
  const want = Math.max(0, targetOf(pace, shared, peers) - shared.turns.length)
  peers.turns({ upstream: shared.upstream, rate, want, aheadMs: aheadMs(rate), used, returned }, (answer) => {
    shared.isAsking = false
    if (answer === undefined) {
      // Perhaps they have arrived. Reported again they say the same.
      shared.used.unshift(...used)
      shared.returned.unshift(...returned)
      alone(pace, shared, peers, deps)
    } else {
      // Where there are fewer turns than are wanted, all sidecars would ask for each.
      const isDry = answer.turns.length < want
      shared.notBefore = isDry ? now + aheadMs(rate) * (ASK_SHARE + ASK_JITTER * deps.random()) : now
      together(pace, shared, answer, deps)
    }
    proceed(pace, deps)
    tend(pace, proceed, deps)
  })
}

const keyOf = ({ upstream }: SharedTurns) => `upstreams.${upstream}.rate`

/** The own share holds, with what was called before. */
function alone(pace: Pace, shared: SharedTurns, peers: Peers, { emit }: Deps): void {
  const pods = peers.pods()
  const share = shareOf(shared.rate, pods)
  shared.returned.push(...shared.turns.splice(0).map(({ id }) => id))
  if (shared.isAlone && share.requests === pace.rate.requests) return
  shared.isAlone = true
  adapt(pace, share)
  emit({ kind: 'fleet_share', key: keyOf(shared), isAlone: true, share: share.requests, pods })
}

function together(pace: Pace, shared: SharedTurns, answer: Turns, { emit, clock, peers }: Deps): void {
  if (shared.isAlone) {
    shared.isAlone = false
    adapt(pace, shared.rate)
    const pods = peers?.pods() ?? 1
    emit({ kind: 'fleet_share', key: keyOf(shared), isAlone: false, share: shared.rate.requests, pods })
  }
  shared.turns.push(...answer.turns)
  shared.nextAt = answer.nextAt
  if (!answer.isForgotten) return
  const now = clock.now()
  const known = callsSince(pace, now - shared.rate.perMs)
  shared.used = known.map((at) => {
    shared.own += 1
    return { id: `own${shared.own}`, at }
  })
}
