import { statusesIn } from '../shared/statuses.ts'
import type { RetryRules } from './retry.ts'
import type { RetryBudget, RetrySettings } from './settings.ts'

/** The settings of a route's retries, with statuses and conditions as sets. */
export const rulesOf = ({ retry }: RetrySettings, upstream: RetryBudget): RetryRules => ({
  attempts: retry.attempts,
  conditions: new Set(retry.on.filter((on) => on === 'connect-failure' || on === 'reset' || on === 'timeout')),
  statuses: statusesIn(retry.on),
  backoff: retry.backoff,
  respectRetryAfter: retry.respectRetryAfter,
  budget: retry.budget || upstream.retry.budget,
  waiting: upstream.retry.waiting,
})
