/** Answers of the sidecar itself: those that the request gets in any case, and those that it may get instead of the upstream's. */

import { writtenMs } from '../config/kinds/units.ts'
import type { UpstreamConfig } from '../config/schema.ts'
import type { RouteValues } from '../config/upstream.ts'
import { type FaultCode, faultOf } from '../errors.ts'
import { climbsOut, REFUSED_METHODS } from '../net/refusals.ts'
import type { Limits } from '../policy/deadline/limits.ts'
import type { ExplainScope, Part } from '../policy/scope.ts'

export type Refused = { readonly status: number; readonly reason: FaultCode; readonly why: string }

export type Refusal = Part & { readonly status: number; readonly reason: FaultCode }

/**
 * @param asked path as it was asked for. @param rest the same without the name of the upstream.
 * @returns null for a request that is sent.
 */
export function refusedAt(method: string, asked: string, rest: string): Refused | null {
  const refused = (reason: FaultCode, why: string) => ({ status: faultOf(reason).status, reason, why })
  if (REFUSED_METHODS.has(method)) return refused('method_refused', `${method} is not proxied`)
  if (asked.includes('#')) return refused('bad_target', 'a request target has no fragment')
  if (climbsOut(plain(asked))) return refused('bad_target', 'the path climbs above its root')
  if (climbsOut(plain(rest))) return refused('bad_target', 'the path climbs above its prefix')
  return null
}

const plain = (path: string) => path.replace(/\?.*$/s, '')

/** In the order in which a request may meet them. Refusals of malformed messages are left out. */
export function refusalsOf(scope: ExplainScope<RouteValues, UpstreamConfig>, { total, connect }: Limits): Refusal[] {
  const { part, upstream, route } = scope
  const { concurrency, rate } = upstream
  const breaker = route.breaker ?? upstream.breaker
  const { consecutiveFailures, failureRate, slowCalls } = breaker
  const refusal = (reason: FaultCode, setting: string, says: string): Refusal => ({
    status: faultOf(reason).status,
    reason,
    ...part(setting, says),
  })
  const isBreaking = consecutiveFailures !== false || failureRate !== false || slowCalls !== false
  const { max, queue, queueTimeoutMs } = concurrency
  return [
    ...(isBreaking
      ? [
          refusal(
            'breaker_open',
            'breaker.openFor',
            `while the breaker is open, ${writtenMs(breaker.openForMs)} at first`,
          ),
        ]
      : []),
    ...(rate === false
      ? []
      : [
          refusal(
            'rate',
            'rate.queueTimeout',
            `where its turn would come later than ${writtenMs(rate.queueTimeoutMs)}, or than its deadline`,
          ),
        ]),
    refusal('queue_full', 'concurrency.queue', `with ${max} requests under way and ${queue} waiting`),
    refusal('queue_timeout', 'concurrency.queueTimeout', `after ${writtenMs(queueTimeoutMs)} in the queue`),
    refusal('connect_timeout', 'timeout.connect', `where connecting takes ${writtenMs(connect.ms)}`),
    refusal('total_timeout', 'timeout.total', `after ${writtenMs(total.ms)} without an answer`),
  ]
}
