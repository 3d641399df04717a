/** When the attempts for a request would start. */

import { writtenMs } from '../config/kinds/units.ts'
import { startsMs } from '../policy/retry/backoff.ts'
import type { Part, Scope } from './scope.ts'
import type { Limits } from './limits.ts'

/** ms after the request arrived: as planned, and the earliest and latest that the jitter allows. */
export type Start = { readonly plannedMs: number; readonly earliestMs: number; readonly latestMs: number }

export type Retries = {
  /** Whether the request may be repeated after something of it has been sent. */
  readonly isRepeatable: boolean
  readonly why: Part
  readonly attempts: Part
  readonly on: Part
  /** One for each attempt that the deadline allows: where each fails at once, and where each takes all of its limit. */
  readonly whenRefused: readonly Start[]
  readonly whenTimedOut: readonly Start[]
}

export function retriesOf(scope: Scope, { attempt, total }: Limits): Retries {
  const { retry } = scope.route
  const { isRepeatable, why } = whyRepeatable(scope)
  const isRetried = (on: string) => retry.on.includes(on)
  const starts = (eachMs: number, isAsked: boolean): Start[] => {
    const { initial, factor, max, jitter } = retry.backoff
    const backoff = { initialMs: initial, factor, maxMs: max, jitter }
    const at = (stretch: number) =>
      startsMs(isAsked ? retry.attempts : 1, eachMs, backoff, stretch, Number.POSITIVE_INFINITY)
    const [planned, earliest, latest] = [at(1), at(1 - jitter), at(1 + jitter)]
    return planned
      .map((plannedMs, k) => ({ plannedMs, earliestMs: earliest[k] ?? 0, latestMs: latest[k] ?? 0 }))
      .filter(({ earliestMs }) => earliestMs < total.ms)
  }
  return {
    isRepeatable,
    why,
    attempts: scope.part('retry.attempts', `${retry.attempts} attempts at most, the first one included`),
    on: scope.part('retry.on', `after ${retry.on.join(', ')}`),
    whenRefused: starts(0, isRetried('connect-failure')),
    whenTimedOut: starts(attempt.ms, isRepeatable && isRetried('timeout')),
  }
}

function whyRepeatable({ route, method, part }: Scope): { isRepeatable: boolean; why: Part } {
  const { idempotent, retry } = route
  if (idempotent) return { isRepeatable: true, why: part('idempotent', 'the route says idempotent') }
  if (retry.methods.includes(method))
    return { isRepeatable: true, why: part('retry.methods', `${method} is safe to repeat`) }
  const says = `${method} is not in retry.methods, and the route does not say idempotent: repeated only where nothing of it was sent, or when it carries Idempotency-Key`
  return { isRepeatable: false, why: part('retry.methods', says) }
}

/** `at once`, `2s (1.8s to 2.2s)`. */
export function writtenStart({ plannedMs, earliestMs, latestMs }: Start): string {
  if (plannedMs === 0) return 'at once'
  const spread = earliestMs === latestMs ? '' : ` (${writtenMs(earliestMs)} to ${writtenMs(latestMs)})`
  return `${writtenMs(plannedMs)}${spread}`
}
