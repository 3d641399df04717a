import { duration, integer, listOf, offOr, share, status } from '../../config/kinds/kinds.ts'
import { lengthSetting, setting, shortened, switchable, type Values } from '../../config/kinds/setting.ts'
import { NO_SETTINGS } from '../policy.ts'

const failureRate = {
  threshold: setting(share, 0.5, 'Share of failures above which the breaker opens.'),
  window: lengthSetting(duration('1s', '1h'), '30s', 'Window over which the share is taken.'),
  minimumRequests: setting(
    integer(1, 1_000_000),
    20,
    'Smallest number of attempts in the window for a share to count.',
  ),
}

const slowCalls = {
  slowerThan: lengthSetting(duration('1ms', '1h'), '10s', 'Time to the response head above which a call is slow.'),
  threshold: setting(share, 0.8, 'Share of slow calls above which the breaker opens.'),
  window: lengthSetting(duration('1s', '1h'), '60s', 'Window over which the share is taken.'),
  minimumRequests: setting(
    integer(1, 1_000_000),
    20,
    'Smallest number of attempts in the window for a share to count.',
  ),
}

export const BREAKER = {
  ...NO_SETTINGS,
  route: {
    breaker: shortened(
      {
        consecutiveFailures: setting(offOr(integer(1, 100_000)), 5, 'Consecutive failures that open the breaker.'),
        failureRate: switchable(failureRate, true, 'Opens the breaker by the share of failures.'),
        slowCalls: switchable(slowCalls, false, 'Opens the breaker by the share of slow calls.'),
        openFor: lengthSetting(duration('1ms', '1d'), '1s', 'Time that the breaker stays open, from the last failure.'),
        openForMax: lengthSetting(
          duration('1ms', '1d'),
          '4s',
          'Longest open time. The open time doubles at each re-opening; openFor where that is longer.',
        ),
        patience: lengthSetting(
          duration('0ms', '1h'),
          '5s',
          'Longest wait of a request for an open breaker; 0ms rejects it at once.',
        ),
        halfOpenProbes: setting(integer(1, 1000), 3, 'Concurrent calls that are let through while half open.'),
        closeAfter: setting(integer(1, 1000), 1, 'Successes that close the breaker.'),
        failureStatus: setting(listOf(status), ['5xx'], 'Response statuses that count as failures.'),
      },
      { consecutiveFailures: false, failureRate: false, slowCalls: false },
      'Refuses calls while the upstream fails. false: never opens by itself; an operator can still force it.',
    ),
  },
} as const

export type BreakerSettings = Values<typeof BREAKER.route>['breaker']

/** Whether any rule opens it. */
export const opensByItself = ({ consecutiveFailures, failureRate, slowCalls }: BreakerSettings): boolean =>
  consecutiveFailures !== false || failureRate !== false || slowCalls !== false

/** A file may set `openFor` alone, to more than the default of `openForMax`. */
export const longestOpenMs = ({ openForMs, openForMaxMs }: BreakerSettings): number => Math.max(openForMs, openForMaxMs)

/** A route's own breaker; undefined when it shares the upstream's. */
export type RouteBreaker = { readonly breaker: BreakerSettings | undefined }
/** The upstream's breaker, for routes that have none of their own. */
export type UpstreamBreaker = { readonly breaker: BreakerSettings }
