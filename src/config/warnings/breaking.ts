/** Circuit breakers that cannot open, or that open for the wrong reason. */

import { startsMs } from '../../policy/retry/backoff.ts'
import { writtenMs } from '../kinds/units.ts'
import { isClientError } from './retrying.ts'
import { backoffOf, type Finding, type RouteScope, type Rules } from './rule.ts'

/** The breaker that a route's attempts are counted by. */
const breakerOf = ({ route, upstream }: RouteScope) => route.breaker ?? upstream.breaker

/** A share that is never taken, since the upstream's rate lets fewer attempts through than it needs. */
function starved(scope: RouteScope, name: 'failureRate' | 'slowCalls'): Finding | undefined {
  const share = breakerOf(scope)[name]
  const { rate } = scope.upstream
  if (share === false || rate === false) return undefined
  const most = rate.requests * Math.ceil(share.window / rate.per)
  if (most >= share.minimumRequests) return undefined
  return {
    at: [`breaker.${name}.minimumRequests`, 'rate', `breaker.${name}.window`],
    reason: `the rate lets ${most} attempts through within ${writtenMs(share.window)}, and ${name} looks at none below ${share.minimumRequests}: it never opens the breaker`,
    fix: `fewer minimumRequests, or a longer window; ${name}: false where consecutiveFailures is enough`,
  }
}

export const BREAKING: Rules<RouteScope> = {
  'breaker-cannot-open': (scope) => starved(scope, 'failureRate'),

  'slow-calls-cannot-open': (scope) => starved(scope, 'slowCalls'),

  'slow-calls-never-seen': (scope) => {
    const { slowCalls } = breakerOf(scope)
    const { attempt, total } = scope.lengths
    if (slowCalls === false || slowCalls.slowerThan < Math.min(attempt, total)) return undefined
    return {
      at: ['breaker.slowCalls.slowerThan', 'timeout.attempt', 'breaker.slowCalls'],
      reason: `a call is slow after ${writtenMs(slowCalls.slowerThan)}, and given up after ${writtenMs(Math.min(attempt, total))}: it is a failure before it is slow`,
      fix: `a slowerThan below ${writtenMs(Math.min(attempt, total))}`,
    }
  },

  'client-errors-open-breaker': (scope) => {
    const wrong = breakerOf(scope).failureStatus.filter(isClientError)
    if (wrong.length === 0) return undefined
    return {
      at: ['breaker.failureStatus'],
      reason: `${wrong.join(', ')} tells of a wrong request, not of a broken upstream: one client's mistake shuts out all the others`,
      fix: `failureStatus: [5xx], without ${wrong.join(', ')}`,
    }
  },

  'one-request-opens-breaker': (scope) => {
    const { retry } = scope.route
    const { consecutiveFailures } = breakerOf(scope)
    const all = startsMs(retry.attempts, 0, backoffOf(retry), 1, scope.lengths.total).length
    // Each endpoint has a breaker of its own, and a repetition goes to one not tried yet.
    const attempts = Math.ceil(all / scope.upstream.urls.length)
    if (retry.attempts === 1 || attempts < consecutiveFailures) return undefined
    return {
      at: ['breaker.consecutiveFailures', 'retry.attempts', 'retry.backoff.initial', 'timeout.total'],
      reason: `${consecutiveFailures} failures in a row open the breaker, and one request may fail ${attempts} times: a single one that the upstream cannot answer shuts out all the others`,
      fix: `consecutiveFailures above ${attempts}, times the requests that usually run at once; or fewer attempts`,
    }
  },

  'failed-job-counted-again': ({ route: { failureWhen }, match }) =>
    failureWhen === false || failureWhen.oncePer !== undefined || !match?.includes('{')
      ? undefined
      : {
          at: ['failureWhen'],
          reason:
            'a job that failed is one more failure each time that it is polled: a few polls of one job open the breaker',
          fix: `oncePer: ${/\{(\w+)\}/.exec(match)?.[1]}`,
        },
}
