/** The time for which an upstream asked a group of paths to be left alone, by Retry-After (RFC 9110 section 10.2.3). */

import type { Timer } from '../../clock.ts'

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

export const freshPause = (): Pause => ({ untilAt: 0, waiting: [], window: 1, underWay: 0, timer: undefined })
