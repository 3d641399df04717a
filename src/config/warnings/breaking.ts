/** Circuit breakers that cannot open, or that open for the wrong reason. */

import { startsMs } from '../../policy/backoff.ts'
import { writtenMs } from '../units.ts'
import { isClientError } from './retrying.ts'
import { backoffOf, type RouteScope, type Rules } from './rule.ts'

/** The breaker that a route's attempts are counted by. */
const breakerOf = ({ route, upstream }: RouteScope) => route.breaker ?? upstream.breaker

/** Attempts that the upstream's rate lets through within a window; Infinity without a rate. */
function mostWithin(windowMs: number, { upstream: { rate } }: RouteScope): number {
  return rate === false ? Number.POSITIVE_INFINITY : rate.requests * Math.ceil(windowMs / rate.per)
}

export const BREAKING: Rules<RouteScope> = {
  'breaker-cannot-open': (scope) => {
    const { failureRate } = breakerOf(scope)
    if (failureRate === false || mostWithin(failureRate.window, scope) >= failureRate.minimumRequests) return undefined
    return {
      at: ['breaker.failureRate.minimumRequests', 'rate', 'breaker.failureRate.window'],
      reason: `the rate lets ${mostWithin(failureRate.window, scope)} attempts through within ${writtenMs(failureRate.window)}, and failureRate looks at none below ${failureRate.minimumRequests}: it never opens the breaker`,
      fix: 'fewer minimumRequests, or a longer window; failureRate: false where consecutiveFailures is enough',
    }
  },

  'slow-calls-cannot-open': (scope) => {
    const { slowCalls } = breakerOf(scope)
    if (slowCalls === false || mostWithin(slowCalls.window, scope) >= slowCalls.minimumRequests) return undefined
    return {
      at: ['breaker.slowCalls.minimumRequests', 'breaker.slowCalls', 'rate'],
      reason: `the rate lets ${mostWithin(slowCalls.window, scope)} attempts through within ${writtenMs(slowCalls.window)}, and slowCalls looks at none below ${slowCalls.minimumRequests}: it never opens the breaker`,
      fix: 'fewer minimumRequests, or a longer window',
    }
  },

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
