/** Answers of the sidecar itself that a request may get instead of the upstream's. answer.ts has those that it gets in any case. */

import { writtenMs } from '../config/kinds/units.ts'
import type { UpstreamConfig } from '../config/schema.ts'
import type { RouteValues } from '../config/upstream.ts'
import { type FaultCode, faultOf } from '../errors.ts'
import type { Limits } from '../policy/deadline/limits.ts'
import type { ExplainScope, Part } from '../policy/scope.ts'

/** Of messages that are not acceptable, whatever their target. */
const UNREADABLE: readonly (readonly [reason: FaultCode, setting: string, says: string])[] = [
  ['bad_request', 'listen', 'to a message that is not valid HTTP/1.1'],
  ['version_refused', 'listen', 'to another version of HTTP'],
  ['target_too_long', 'listen', 'to a target that is too long'],
  ['head_too_large', 'maxHead', 'to a larger head than that'],
  ['coding_refused', 'listen', 'to a transfer coding other than chunked'],
  ['expectation_failed', 'listen', 'to an Expect other than 100-continue'],
  ['client_stalled', 'listen', 'where the head, or the body, does not come in time'],
]

export type Refusal = Part & { readonly status: number; readonly reason: FaultCode }

/** In the order in which a request may meet them. @param ofFile makes the part of a setting of the whole sidecar. */
export function refusalsOf(
  scope: ExplainScope<RouteValues, UpstreamConfig>,
  { total, connect }: Limits,
  ofFile: ExplainScope<unknown, unknown>['part'],
): Refusal[] {
  const { part, upstream, route } = scope
  const { concurrency, rate } = upstream
  const breaker = route.breaker ?? upstream.breaker
  const { consecutiveFailures, failureRate, slowCalls } = breaker
  const refusal = (reason: FaultCode, setting: string, says: string): Refusal => ({
    status: faultOf(reason).status,
    reason,
    ...part(setting, says),
  })
  const own = (reason: FaultCode, setting: string, says: string): Refusal => ({
    status: faultOf(reason).status,
    reason,
    ...ofFile(setting, says),
  })
  const isBreaking = consecutiveFailures !== false || failureRate !== false || slowCalls !== false
  const { max, queue, queueTimeoutMs } = concurrency
  return [
    own('local_limit', 'maxConnections', 'where its connections or file descriptors are used up'),
    ...UNREADABLE.map((one) => own(...one)),
    own('job_deadline', 'job', 'for a registered job whose deadline has passed'),
    refusal('client_deadline', 'timeout.total', 'after the time that the client allows, in x-request-timeout'),
    ...(isBreaking
      ? [
          refusal(
            'breaker_open',
            'breaker.openFor',
            `while the breaker is open, ${writtenMs(breaker.openForMs)} at first`,
          ),
        ]
      : []),
    refusal('breaker_forced', 'breaker', 'while an operator holds the breaker open'),
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
