import { callEach } from '../call-each.ts'
import type { Deps } from '../../deps.ts'
import type { Exchange, Reply } from '../exchange.ts'
import type { Gate } from '../gate.ts'
import { retryAfterMs } from '../retry/backoff.ts'
import { waitInLine } from '../shared/line.ts'
import { callerIn } from './credentials.ts'
import { forgetEnded, type Pause, type Pauses, pauseOf } from './pause.ts'
import { usefulUntil } from './useful.ts'

/** Longest pause, whatever Retry-After says, in ms. */
const MAX_PAUSE_MS = 60_000
/** Longest time in ms over which the sidecars of a fleet spread their return. */
const MAX_SPREAD_MS = 2_000
/** Time in ms after which another waiter goes although no head has come: slow calls are no reason to wait. */
const STEP_MS = 250

/**
 * Makes calls wait while their group is paused for their caller, as far as their deadline and the queue allow. A call that cannot wait is sent as
 * it would have been: nobody is refused for it.
 * @param queue largest number of calls that wait for the end of one pause.
 */
export const pausing = (queue: number, deps: Deps): Gate => ({
  enter: (exchange) => {
    const { pauses } = exchange.group
    exchange.pausedBy = undefined
    if (pauses.size === 0) return undefined
    const now = deps.clock.now()
    forgetEnded(pauses, now)
    const pause = pauses.size === 0 ? undefined : pauses.get(callerIn(exchange.headers))
    if (pause === undefined) return undefined
    const isPaused = pause.untilAt > now || pause.waiting.length > 0
    if (!isPaused) return undefined
    const mayWait = pause.untilAt < usefulUntil(exchange, now) && pause.waiting.length < queue
    if (mayWait) exchange.pausedBy = pause
    return mayWait ? turn(pause, exchange, deps) : undefined
  },
  replied: (exchange, reply) => {
    const pause = exchange.pausedBy
    if (pause === undefined) return learn(exchange, reply, deps)
    pause.underWay -= 1
    if (reply.status < 300) pause.window += 1
    learn(exchange, reply, deps)
    proceed(pause, deps)
  },
  failed: ({ pausedBy }) => {
    if (pausedBy !== undefined) pausedBy.underWay -= 1
    return false
  },
})

/** Remembers a Retry-After, and forgets it once the upstream answers with success. Tells both to the fleet. */
function learn({ group, route, headers }: Exchange, reply: Reply, deps: Deps): void {
  const { pauses } = group
  const isLimited = reply.status === 429 || reply.status === 503
  if (!isLimited && pauses.size === 0) return
  const now = deps.clock.now()
  const caller = callerIn(headers)
  const tell = (ms: number) =>
    deps.peers?.tell({ kind: 'pause', upstream: route.upstream, group: group.key, caller, ms: Math.ceil(ms) })
  if (isLimited) {
    const askedMs = Math.min(retryAfterMs(reply.headers, deps.clock.wallNow()), MAX_PAUSE_MS)
    const asked = askedMs > 0 ? pauseOf(pauses, caller, now) : undefined
    if (asked !== undefined && pauseUntil(asked, now + askedMs, deps)) tell(askedMs)
    return
  }
  const pause = pauses.get(caller)
  if (reply.status < 300 && pause !== undefined && pause.untilAt > now) {
    endPause(pause, deps)
    tell(0)
  }
}

/** @returns whether the pause is longer now. */
function pauseUntil(pause: Pause, untilAt: number, deps: Deps): boolean {
  if (untilAt <= pause.untilAt) return false
  pause.untilAt = untilAt
  pause.window = 1
  arm(pause, deps)
  return true
}

function endPause(pause: Pause, deps: Deps): void {
  pause.untilAt = deps.clock.now()
  arm(pause, deps)
}

/**
 * Takes the pause that another sidecar of the fleet was asked for. Its end is later by chance, up to a step for each sidecar, so
 * that they do not all come back in one moment. @param ms 0 for the end of the pause.
 */
export function hearPause(pauses: Pauses, caller: string, ms: number, deps: Deps): void {
  const { clock, random, peers } = deps
  const pause = pauseOf(pauses, caller, clock.now())
  if (pause === undefined) return
  if (ms === 0) return endPause(pause, deps)
  const spreadMs = Math.min(MAX_SPREAD_MS, STEP_MS * ((peers?.pods() ?? 1) - 1))
  pauseUntil(pause, clock.now() + Math.min(ms, MAX_PAUSE_MS) + random() * spreadMs, deps)
}

/** Late in the line, or after another Retry-After, the call goes while it is still of use. */
function turn(pause: Pause, exchange: Exchange, deps: Deps): Promise<void> {
  const untilAt = usefulUntil(exchange, deps.clock.now())
  const late = () => {
    pause.underWay += 1
    return undefined
  }
  const waited = waitInLine(pause.waiting, exchange, { as: 'retryAfterMs', untilAt: () => untilAt, late }, deps.clock)
  if (pause.timer === undefined) arm(pause, deps)
  return waited
}

function arm(pause: Pause, deps: Deps): void {
  const { clock } = deps
  if (pause.timer !== undefined) clock.cancel(pause.timer)
  pause.timer = undefined
  if (pause.waiting.length === 0) return
  pause.timer = clock.after(pause.untilAt - clock.now(), () => {
    pause.timer = undefined
    proceed(pause, deps)
  })
}

/** Lets waiters go, as many as the window has room for, and one more after a step. */
function proceed(pause: Pause, deps: Deps): void {
  if (pause.untilAt > deps.clock.now()) return arm(pause, deps)
  const room = Math.max(0, pause.window - pause.underWay)
  const released = pause.waiting.splice(0, room)
  pause.underWay += released.length
  callEach(released.map(({ go }) => go))
  if (pause.waiting.length === 0 || pause.timer !== undefined) return
  pause.timer = deps.clock.after(STEP_MS, () => {
    pause.timer = undefined
    pause.window = Math.max(pause.window, pause.underWay) + 1
    proceed(pause, deps)
  })
}
