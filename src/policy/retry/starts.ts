/** When the attempts of a request would start. */

import { writtenMs } from '../../config/kinds/units.ts'
import { limitsOf } from '../deadline/limits.ts'
import type { DeadlineSettings } from '../deadline/settings.ts'
import type { ExplainScope, Part } from '../scope.ts'
import { type Each, startsMs } from './backoff.ts'
import { whyRepeatable } from './repeatable.ts'
import type { RetrySettings } from './settings.ts'

/** ms after the arrival of the request: planned, and the bounds that the jitter allows. */
export type Start = { readonly plannedMs: number; readonly earliestMs: number; readonly latestMs: number }

export type Retries = {
  /** Whether the request may be repeated after a part of it was sent. */
  readonly isRepeatable: boolean
  readonly why: Part
  readonly attempts: Part
  readonly on: Part
  /** One entry per attempt that fits into the deadline: when each fails at once, and when each takes its whole limit. */
  readonly whenRefused: readonly Start[]
  readonly whenTimedOut: readonly Start[]
}

export function retriesOf(scope: ExplainScope<RetrySettings & DeadlineSettings>): Retries {
  const { attempt, total } = limitsOf(scope)
  const { retry, timeout } = scope.route
  const { usefulMs } = timeout
  const { isRepeatable, why } = whyRepeatable(scope)
  const isRetried = (on: string) => retry.on.includes(on)
  const starts = (each: Each, isAsked: boolean): Start[] => {
    const { jitter } = retry.backoff
    const at = (stretch: number) => startsMs(isAsked ? retry.attempts : 1, each, retry.backoff, stretch, total.ms)
    const [planned, earliest, latest] = [at(1), at(1 - jitter), at(1 + jitter)]
    return planned.map((plannedMs, k) => ({
      plannedMs,
      earliestMs: earliest[k] ?? plannedMs,
      latestMs: latest[k] ?? plannedMs,
    }))
  }
  return {
    isRepeatable,
    why,
    attempts: scope.part('retry.attempts', `${retry.attempts} attempts at most, the first one included`),
    on: scope.part('retry.on', `after ${retry.on.join(', ')}`),
    whenRefused: starts({ eachMs: 0, usefulMs }, isRetried('connect-failure')),
    whenTimedOut: starts({ eachMs: attempt.ms, usefulMs, isTimeout: true }, isRepeatable && isRetried('timeout')),
  }
}

/** `at once`, `2s (1.8s to 2.2s)`. */
export function writtenStart({ plannedMs, earliestMs, latestMs }: Start): string {
  if (plannedMs === 0) return 'at once'
  const spread = earliestMs === latestMs ? '' : ` (${writtenMs(earliestMs)} to ${writtenMs(latestMs)})`
  return `${writtenMs(plannedMs)}${spread}`
}
