/** Usual time of a path's calls, and the moment from which it is too late to send one. */

import { type Latencies, quantile } from '../observe/latencies.ts'

type Group = { readonly latencies: Latencies }

const QUANTILE = 0.95

/** The 95th percentile of the group's times to the response head; undefined until 20 are known. */
export const usualMs = ({ latencies }: Group, now: number): number | undefined => quantile(latencies, QUANTILE, now)

/** A call as far as its useful time depends on it. */
type Timed = {
  readonly group: Group
  readonly startedAt: number
  readonly deadlineAt: number
  readonly timeouts: { readonly attemptMs: number; readonly usefulMs: number }
}

/**
 * Time in ms that a call needs in order to be of use: what the calls of its group usually take (`timeout.useful` while few are known), at most `attempt` and half of the
 * call's own deadline. What has waited is not sent with less than that left.
 */
export const usefulMs = ({ group, startedAt, deadlineAt, timeouts }: Timed, now: number): number =>
  Math.min(usualMs(group, now) ?? timeouts.usefulMs, timeouts.attemptMs, (deadlineAt - startedAt) / 2)

/** Whether that moment lies before the one at which a call must be sent in order to be of use. Rarely needs the percentile. */
export function isInTime(at: number, call: Timed, now: number): boolean {
  const { startedAt, deadlineAt, timeouts } = call
  const surelyUntil = deadlineAt - Math.min(timeouts.attemptMs, (deadlineAt - startedAt) / 2)
  return at < surelyUntil || at < usefulUntil(call, now)
}

/** Monotonic ms at which a call must be sent in order to be of use. */
export const usefulUntil = (call: Timed, now: number): number => call.deadlineAt - usefulMs(call, now)
