/**
 * The time for which an upstream asked a caller to leave a group of paths alone, by Retry-After (RFC 9110 section 10.2.3). A limit of
 * one token or key is none of the others.
 */

import type { Timer } from '../../clock.ts'
import type { PauseSnapshot } from '../../events.ts'

/**
 * After the pause its waiters go one after the other, and more at once with each success, as the window of TCP's slow start
 * grows: an upstream that has just limited its clients is not met by all of them in one moment.
 */
export type Pause = {
  /** Monotonic ms at which it ends; in the past without one, and 0 when there was none. */
  untilAt: number
  readonly waiting: { readonly startedAt: number; readonly go: () => void }[]
  /** Calls of the waiters that may be without a response head at once. */
  window: number
  underWay: number
  timer: Timer | undefined
}

const freshPause = (): Pause => ({ untilAt: 0, waiting: [], window: 1, underWay: 0, timer: undefined })

/** Pauses of a group, by the digest of the caller's credentials. Empty without trouble. */
export type Pauses = Map<string, Pause>

/** Largest number of callers of a group whose pauses are remembered. */
const MAX_CALLERS = 64

/** The pause of a caller, made where there is none; undefined where too many others have one. */
export function pauseOf(pauses: Pauses, caller: string, now: number): Pause | undefined {
  forgetEnded(pauses, now)
  const found = pauses.get(caller)
  if (found !== undefined || pauses.size >= MAX_CALLERS) return found
  const pause = freshPause()
  pauses.set(caller, pause)
  return pause
}

/** Forgets the pauses that nobody waits for any more. */
export function forgetEnded(pauses: Pauses, now: number): void {
  for (const [caller, { untilAt, waiting, underWay }] of pauses)
    if (untilAt <= now && waiting.length === 0 && underWay === 0) pauses.delete(caller)
}

/** The pauses of a group as one; undefined where none is in force and nobody waits. */
export function pauseSnapshot(paths: string, pauses: Pauses, now: number): PauseSnapshot | undefined {
  let [waiting, endsMs] = [0, 0]
  for (const pause of pauses.values()) {
    waiting += pause.waiting.length
    endsMs = Math.max(endsMs, pause.untilAt - now)
  }
  return waiting === 0 && endsMs === 0 ? undefined : { paths, waiting, endsMs }
}
