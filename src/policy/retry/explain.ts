import { HELD_BACK_BYTES } from './arrival.ts'
import { writtenBytes, writtenMs } from '../../config/kinds/units.ts'
import type { ExplainScope, Part } from '../scope.ts'
import type { RetryBudget, RetrySettings } from './settings.ts'

/** Explains the waits and the number of retries, and how much of a body is kept for them. */
export function explainRetry({
  route: { retry, inspectBytes },
  upstream,
  part,
}: ExplainScope<RetrySettings & { readonly inspectBytes: number }, RetryBudget>): Part[] {
  if (retry.attempts === 1) return []
  const { initialMs, factor, maxMs, jitter } = retry.backoff
  const { budget } = upstream.retry
  return [
    part('retry.backoff.initial', `waits ${writtenMs(initialMs)} before the second attempt`),
    part('retry.backoff.factor', `then ${factor} times as long each time`),
    part('retry.backoff.max', `up to ${writtenMs(maxMs)}`),
    part('retry.backoff.jitter', `give or take ${Math.round(jitter * 100)} %`),
    part(
      'retry.respectRetryAfter',
      retry.respectRetryAfter ? 'or as long as Retry-After says, if longer' : 'whatever Retry-After says',
    ),
    part('retry.budget.ratio', `retries are ${Math.round(budget.ratio * 100)} % of requests at most`),
    part('retry.budget.minPerSecond', `and ${budget.minPerSecond} a second in any case`),
    part(
      'retry.bodyBuffer.memory',
      `${writtenBytes(retry.bodyBuffer.memoryBytes)} of a request body is kept in memory to be sent again`,
    ),
    part('retry.bodyBuffer.disk', `${writtenBytes(retry.bodyBuffer.diskBytes)} more on disk`),
    part(
      'inspect',
      `an answer of up to ${writtenBytes(Math.min(inspectBytes, HELD_BACK_BYTES))} by its Content-Length is repeated, too, when its body breaks off or stalls`,
    ),
  ]
}
