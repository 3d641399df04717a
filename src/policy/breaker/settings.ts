import { duration, integer, listOf, share, status } from '../../config/kinds/kinds.ts'
import { lengthSetting, setting, switchable, type Values } from '../../config/kinds/setting.ts'
import { NO_SETTINGS } from '../policy.ts'

const failureRate = {
  threshold: setting(share, 0.5, 'share of failures above which it opens'),
  window: lengthSetting(duration('1s', '1h'), '30s', 'over which the share is taken'),
  minimumRequests: setting(integer(1, 1_000_000), 20, 'fewer attempts have no rate'),
}

const slowCalls = {
  slowerThan: lengthSetting(duration('1ms', '1h'), '10s', 'a call that waits longer for its response head is slow'),
  threshold: setting(share, 0.8, 'share of slow calls above which it opens'),
  window: lengthSetting(duration('1s', '1h'), '60s', 'over which the share is taken'),
  minimumRequests: setting(integer(1, 1_000_000), 20, 'fewer attempts have no rate'),
}

export const BREAKER = {
  ...NO_SETTINGS,
  route: {
    breaker: {
      consecutiveFailures: setting(integer(1, 100_000), 5, 'failures in a row that open it'),
      failureRate: switchable(failureRate, true, 'opens by the share of failures'),
      slowCalls: switchable(slowCalls, false, 'opens by the share of slow calls'),
      openFor: lengthSetting(duration('1ms', '1d'), '60s', 'how long it rejects, from the last failure'),
      openForMax: lengthSetting(duration('1ms', '1d'), '10m', 'the open time doubles on every re-opening up to this'),
      halfOpenProbes: setting(integer(1, 1000), 3, 'calls let through at once while half open'),
      closeAfter: setting(integer(1, 1000), 1, 'successes that close it'),
      failureStatus: setting(listOf(status), ['5xx'], 'response statuses that count as failures'),
    },
  },
} as const

export type BreakerSettings = Values<typeof BREAKER.route>['breaker']

/** A route's own; undefined when it shares the upstream's. */
export type RouteBreaker = { readonly breaker: BreakerSettings | undefined }
/** That of the upstream, for the routes that have none of their own. */
export type UpstreamBreaker = { readonly breaker: BreakerSettings }
