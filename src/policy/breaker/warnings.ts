/** Circuit breakers that cannot open, or that open for the wrong reason. */

import { writtenMs } from '../../config/kinds/units.ts'
import type { RateSettings } from '../rate/settings.ts'
import { startsMs } from '../retry/backoff.ts'
import { isClientError } from '../retry/client-error.ts'
import type { RetrySettings } from '../retry/settings.ts'
import type { Finding, RouteScope, Rules } from '../scope.ts'
import { longestOpenMs, type RouteBreaker, type UpstreamBreaker } from './settings.ts'

type Scope = RouteScope<RouteBreaker & RetrySettings, UpstreamBreaker & RateSettings>

/** The breaker that counts a route's attempts. */
const breakerOf = ({ route, upstream }: Scope) => route.breaker ?? upstream.breaker

/** Warns of a share that is never computed because the upstream's rate admits too few attempts. */
function starved(scope: Scope, name: 'failureRate' | 'slowCalls'): Finding | undefined {
  const share = breakerOf(scope)[name]
  const { rate } = scope.upstream
  if (share === false || rate === false) return undefined
  const most = rate.requests * Math.ceil(share.windowMs / rate.perMs)
  if (most >= share.minimumRequests) return undefined
  return {
    at: [`breaker.${name}.minimumRequests`, 'rate', `breaker.${name}.window`],
    reason: `the rate lets ${most} attempts through within ${writtenMs(share.windowMs)}, and ${name} looks at none below ${share.minimumRequests}: it never opens the breaker`,
    fix: `fewer minimumRequests, or a longer window; ${name}: false where consecutiveFailures is enough`,
  }
}

export const BREAKER_WARNINGS: Rules<Scope> = {
  'breaker-cannot-open': (scope) => starved(scope, 'failureRate'),

  'slow-calls-cannot-open': (scope) => starved(scope, 'slowCalls'),

  'slow-calls-never-seen': (scope) => {
    const { slowCalls } = breakerOf(scope)
    const limitMs = Math.min(scope.lengths.attemptMs, scope.lengths.totalMs)
    if (slowCalls === false || slowCalls.slowerThanMs < limitMs) return undefined
    return {
      at: ['breaker.slowCalls.slowerThan', 'timeout.attempt', 'breaker.slowCalls'],
      reason: `a call is slow after ${writtenMs(slowCalls.slowerThanMs)}, and given up after ${writtenMs(limitMs)}: it is a failure before it is slow`,
      fix: `a slowerThan below ${writtenMs(limitMs)}`,
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

  'open-outlasts-patience': (scope) => {
    const breaker = breakerOf(scope)
    const openMs = longestOpenMs(breaker)
    if (breaker.patienceMs === 0 || openMs < breaker.patienceMs) return undefined
    return {
      at: ['breaker.openForMax', 'breaker.openFor', 'breaker.patience'],
      reason: `the breaker stays open for up to ${writtenMs(openMs)}, and a request waits ${writtenMs(breaker.patienceMs)} for it: requests are refused for some time although the upstream is well again`,
      fix: `an openForMax below ${writtenMs(breaker.patienceMs)}; or patience: 0ms where callers would rather fail at once`,
    }
  },

  'max-below-open-for': (scope) => {
    const { openForMs, openForMaxMs } = breakerOf(scope)
    if (openForMs <= openForMaxMs || !scope.isWritten('breaker.openForMax')) return undefined
    return {
      at: ['breaker.openForMax', 'breaker.openFor'],
      reason: `the breaker opens for ${writtenMs(openForMs)} already: an openForMax of ${writtenMs(openForMaxMs)} does nothing`,
      fix: `an openForMax of ${writtenMs(openForMs)} or more`,
    }
  },

  'one-request-opens-breaker': (scope) => {
    const { retry } = scope.route
    const { consecutiveFailures } = breakerOf(scope)
    const { usefulMs, totalMs } = scope.lengths
    const all = startsMs(retry.attempts, { eachMs: 0, usefulMs }, retry.backoff, 1, totalMs).length
    // Each endpoint has its own breaker, and a retry goes to an untried endpoint.
    const attempts = Math.ceil(all / scope.upstream.urls.length)
    const isHarmless = longestOpenMs(breakerOf(scope)) < breakerOf(scope).patienceMs
    if (retry.attempts === 1 || !consecutiveFailures || attempts < consecutiveFailures || isHarmless) return undefined
    return {
      at: ['breaker.consecutiveFailures', 'retry.attempts', 'retry.backoff.initial', 'timeout.total'],
      reason: `${consecutiveFailures} failures in a row open the breaker, and one request may fail ${attempts} times: a single one that the upstream cannot answer shuts out all the others`,
      fix: `consecutiveFailures above ${attempts}, times the requests that usually run at once; or fewer attempts`,
    }
  },
}
