import { NO_SETTINGS } from '../policy.ts'
import { z } from 'zod'
import {
  duration,
  flag,
  integer,
  listOf,
  method,
  number,
  offOr,
  retryCondition,
  size,
} from '../../config/kinds/kinds.ts'
import { lengthSetting, setting, sizeSetting, type Values } from '../../config/kinds/setting.ts'

const ownBudget = z
  .strictObject({
    ratio: number(0, 1).default(0.2).describe('Retries as a share of requests.'),
    minPerSecond: number(0, 100_000).default(3).describe('Retries per second that are allowed whatever the traffic.'),
    window: duration('1s', '1h').default(10_000).describe('Time for which a request counts towards the share.'),
  })
  .transform(({ window, ...rest }) => ({ ...rest, windowMs: window }))

/** Methods that are safe to repeat (RFC 9110 section 9.2.2), but for TRACE, which is never forwarded. */
export const REPEATABLE: readonly string[] = ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']

export const RETRY = {
  ...NO_SETTINGS,
  route: {
    retry: {
      attempts: setting(integer(1, 20), 5, 'Largest number of attempts for one request, including the first.'),
      on: setting(
        listOf(retryCondition),
        ['connect-failure', 'reset', 'timeout', 502, 503, 504, 429],
        'Outcomes that are retried.',
      ),
      methods: setting(listOf(method), REPEATABLE, 'Methods that are safe to repeat.'),
      backoff: {
        initial: lengthSetting(duration('1ms', '1h'), '2s', 'Wait before the first retry.'),
        factor: setting(number(1, 10), 2, 'Factor by which each wait is longer than the one before.'),
        max: lengthSetting(duration('1ms', '1h'), '60s', 'Longest wait.'),
        jitter: setting(number(0, 1), 0.1, 'Share by which a wait varies at random, up and down.'),
      },
      respectRetryAfter: setting(flag, true, 'Waits for Retry-After when that is longer.'),
      bodyBuffer: {
        memory: sizeSetting(size('0B', '1GiB'), '1MiB', 'Bytes of a request body that are kept in memory for a retry.'),
        disk: sizeSetting(size('0B', '100GiB'), '256MiB', 'Bytes of a request body that are kept on disk beyond that.'),
      },
    },
  },
  upstream: {
    retry: {
      budget: {
        ratio: setting(number(0, 1), 0.2, 'Retries as a share of requests.'),
        minPerSecond: setting(number(0, 100_000), 3, 'Retries per second that are allowed whatever the traffic.'),
        window: lengthSetting(duration('1s', '1h'), '10s', 'Time for which a request counts towards the share.'),
      },
      waiting: setting(
        integer(0, 100_000),
        256,
        'Largest number of requests in a back-off. Past it nothing is retried.',
      ),
    },
  },
  routeOnly: {
    retry: {
      budget: setting(
        offOr(ownBudget),
        false,
        "A budget of the route's own, with the keys of the upstream's; false shares that one.",
      ),
    },
    idempotent: setting(flag, false, 'Requests of the route may be repeated whatever their method.'),
  },
} as const

/** Settings that apply to requests which match no route, too. */
export type RetryRoute = Values<typeof RETRY.route>
export type RetrySettings = RetryRoute & Values<typeof RETRY.routeOnly>
export type RetryBudget = Values<typeof RETRY.upstream>
