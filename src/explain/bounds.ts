/** Best and worst cases of a request, for its client and its upstream. */

import { writtenMs } from '../config/kinds/units.ts'
import type { Limits } from '../policy/deadline/limits.ts'
import { POLICIES, type ServicePolicies } from '../policy/policies.ts'
import type { ExplainScope } from '../policy/scope.ts'
import type { UpstreamConfig } from '../config/schema.ts'
import type { RouteValues } from '../config/upstream.ts'

export type Bounds = {
  readonly client: {
    readonly best: string
    readonly worst: string
    /** Time to a response head in ms, at worst the sidecar's own. */
    readonly worstMs: number
    /** Whether the client still waits then. */
    readonly isInTime: boolean
  }
  readonly upstream: {
    readonly best: string
    readonly worst: string
    readonly bestCalls: number
    readonly worstCalls: number
  }
}

export function boundsOf(
  scope: ExplainScope<RouteValues, UpstreamConfig, ServicePolicies>,
  { total, client, idle }: Limits,
): Bounds {
  const worstMs = total.ms
  const isInTime = worstMs < client.ms
  const parts = POLICIES.flatMap((policy) => policy.bounds?.(scope) ?? [])
  const factors = parts.filter(({ times = 1 }) => times > 1)
  const further = parts.filter(({ more = 0 }) => more > 0)
  const worstCalls =
    factors.reduce((product, { times = 1 }) => product * times, 1) +
    further.reduce((sum, { more = 0 }) => sum + more, 0)
  const reasons = [...factors, ...further].flatMap(({ reason }) => reason ?? [])
  const isShared = parts.some((part) => part.isShared)
  const ends = (key: 'best' | 'worst') => parts.map((part) => part[key] ?? '').join('')
  const over = isInTime
    ? ''
    : `; the client has given up after ${writtenMs(client.ms)} by then, and that ends what is under way`
  return {
    client: {
      best: `the upstream's own answer as soon as it comes${ends('best')}`,
      worst: `504 after ${writtenMs(worstMs)}, or the last answer that there was${over}; a body after that may pause ${writtenMs(idle.ms)} at most`,
      worstMs,
      isInTime,
    },
    upstream: {
      best: isShared ? 'no call, where another that is the same is under way; else 1' : '1 call',
      worst: `${worstCalls} ${worstCalls === 1 ? 'call' : 'calls'}${reasons.length === 0 ? '' : `: ${reasons.join(', ')}`}${ends('worst')}`,
      bestCalls: isShared ? 0 : 1,
      worstCalls,
    },
  }
}
