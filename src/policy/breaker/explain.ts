import { writtenMs } from '../../config/kinds/units.ts'
import type { ExplainScope, Part } from '../scope.ts'
import { longestOpenMs, opensByItself, type RouteBreaker, type UpstreamBreaker } from './settings.ts'

/** Explains when the breaker of a route opens and closes. */
export function explainBreaker({ route, upstream, part }: ExplainScope<RouteBreaker, UpstreamBreaker>): Part[] {
  const breaker = route.breaker ?? upstream.breaker
  const { consecutiveFailures, failureRate, slowCalls } = breaker
  if (!opensByItself(breaker)) return [part('breaker', 'never opens by itself; an operator can force it')]
  const share = (threshold: number) => `${Math.round(threshold * 100)} %`
  return [
    part('breaker', route.breaker === undefined ? 'shared by the routes of the upstream' : "the route's own"),
    ...(consecutiveFailures
      ? [part('breaker.consecutiveFailures', `opens after ${consecutiveFailures} failures in a row`)]
      : []),
    ...(failureRate
      ? [
          part(
            'breaker.failureRate',
            `${consecutiveFailures ? 'or' : 'opens'} over ${share(failureRate.threshold)} failures of ${failureRate.minimumRequests} or more attempts in ${writtenMs(failureRate.windowMs)}, unless a path that is called often stays below that`,
          ),
        ]
      : []),
    ...(slowCalls
      ? [
          part(
            'breaker.slowCalls',
            `${consecutiveFailures || failureRate ? 'or' : 'opens'} over ${share(slowCalls.threshold)} slower than ${writtenMs(slowCalls.slowerThanMs)} of ${slowCalls.minimumRequests} or more in ${writtenMs(slowCalls.windowMs)}`,
          ),
        ]
      : []),
    part(
      'breaker.failureStatus',
      `failures are ${breaker.failureStatus.join(', ')}, and no or no whole answer; no failures are 429, and 503 with a Retry-After up to ${writtenMs(longestOpenMs(breaker))}`,
    ),
    part('breaker.openFor', `then rejects for ${writtenMs(breaker.openForMs)}`),
    part('breaker.openForMax', `twice as long each time, up to ${writtenMs(longestOpenMs(breaker))}`),
    part('breaker.halfOpenProbes', `then lets ${breaker.halfOpenProbes} through at once`),
    part('breaker.closeAfter', `closes after ${breaker.closeAfter} that succeed`),
  ]
}
