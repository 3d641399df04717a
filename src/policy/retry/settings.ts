import { duration, flag, integer, listOf, method, number, retryCondition, size } from '../../config/kinds/kinds.ts'
import { lengthSetting, setting, sizeSetting, type Values } from '../../config/kinds/setting.ts'

export const RETRY = {
  route: {
    retry: {
      attempts: setting(integer(1, 20), 5, 'attempts for one request, the first one included'),
      on: setting(
        listOf(retryCondition),
        ['connect-failure', 'reset', 'timeout', 502, 503, 504, 429],
        'outcomes that ask for another attempt',
      ),
      methods: setting(listOf(method), ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'], 'methods that are safe to repeat'),
      backoff: {
        initial: lengthSetting(duration('1ms', '1h'), '2s', 'wait before the first retry'),
        factor: setting(number(1, 10), 2, 'each wait is so many times the one before'),
        max: lengthSetting(duration('1ms', '1h'), '60s', 'longest wait'),
        jitter: setting(number(0, 1), 0.1, 'symmetric share that a wait varies by'),
      },
      respectRetryAfter: setting(flag, true, 'a longer Retry-After replaces the wait'),
      bodyBuffer: {
        memory: sizeSetting(size('0B', '1GiB'), '1MiB', 'request body kept in memory for replay'),
        disk: sizeSetting(size('0B', '100GiB'), '256MiB', 'request body kept on disk beyond that'),
      },
    },
  },
  upstream: {
    retry: {
      budget: {
        ratio: setting(number(0, 1), 0.2, 'retries as a share of requests'),
        minPerSecond: setting(number(0, 100_000), 3, 'retries a second that are allowed whatever the traffic'),
        window: lengthSetting(duration('1s', '1h'), '10s', 'how long a request counts for the share'),
      },
    },
  },
  routeOnly: {
    idempotent: setting(flag, false, 'its requests may be repeated whatever their method'),
  },
} as const

/** What an upstream has for requests that match no route, too. */
export type RetryRoute = Values<typeof RETRY.route>
export type RetrySettings = RetryRoute & Values<typeof RETRY.routeOnly>
export type RetryBudget = Values<typeof RETRY.upstream>
