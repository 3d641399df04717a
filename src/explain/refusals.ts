/** Answers of the sidecar itself that a request may get instead of the upstream's. answer.ts has those that it gets in any case. */

import { writtenMs } from '../config/kinds/units.ts'
import type { UpstreamConfig } from '../config/schema.ts'
import type { RouteValues } from '../config/upstream.ts'
import { type FaultCode, faultOf } from '../errors.ts'
import type { Limits } from '../policy/deadline/limits.ts'
import type { ExplainScope, Part } from '../policy/scope.ts'

export type Refusal = Part & { readonly status: number; readonly reason: FaultCode }

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
