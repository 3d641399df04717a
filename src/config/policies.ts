/** The settings that upstreams and routes have in common or for themselves: each key once. */

import { z } from 'zod'
import {
  duration,
  flag,
  integer,
  listOf,
  method,
  number,
  offOr,
  oneOf,
  retryCondition,
  share,
  size,
  status,
  text,
  token,
} from './kinds/kinds.ts'
import { type Block, setting, switchable } from './kinds/setting.ts'

const protocol = text.regex(/^[!#$%&'*+.^_`|~\w-]+(?:\/[!#$%&'*+.^_`|~\w-]+)?$/, {
  error: 'expected the name of a protocol such as websocket',
})

const pointer = text.regex(/^\//, { error: 'expected a JSON Pointer such as /status' })

/** A timeout that is computed from the job's shape. */
const computed = z.strictObject({
  computed: text.describe('name of a computed timeout'),
  divideBy: text.describe('input that it is divided by').optional(),
})
const timeout = (min: string, max: string) => z.union([duration(min, max), computed])

/** Percentiles that there are: beyond the 99th a few samples decide. */
const QUANTILES = ['p50', 'p75', 'p90', 'p95', 'p99'] as const

/** So many times what attempts of the route take; never above `max`, which holds until enough of them are known. */
const observed = z.strictObject({
  observed: oneOf(QUANTILES).describe('percentile of what attempts of the route have taken of late'),
  times: number(1, 100).describe('so many times that'),
  min: duration('1ms', '1d').describe('never less than this'),
  max: timeout('1ms', '1d').describe('never more than this, and this while little is known'),
})

const failureRate = {
  threshold: setting(share, 0.5, 'share of failures above which it opens'),
  window: setting(duration('1s', '1h'), '30s', 'over which the share is taken'),
  minimumRequests: setting(integer(1, 1_000_000), 20, 'fewer attempts have no rate'),
}

const slowCalls = {
  slowerThan: setting(duration('1ms', '1h'), '10s', 'a call that waits longer for its response head is slow'),
  threshold: setting(share, 0.8, 'share of slow calls above which it opens'),
  window: setting(duration('1s', '1h'), '60s', 'over which the share is taken'),
  minimumRequests: setting(integer(1, 1_000_000), 20, 'fewer attempts have no rate'),
}

/** What a route may have of its own. */
export const ROUTE = {
  timeout: {
    connect: setting(timeout('1ms', '5m'), '5s', 'to connect, the TLS handshake included'),
    attempt: setting(
      z.union([duration('1ms', '1d'), computed, observed]),
      '12s',
      'one attempt, from the end of its request to its response head',
    ),
    total: setting(timeout('1ms', '1d'), '25s', 'all attempts and waits, to the response head that is relayed'),
    idle: setting(timeout('1ms', '1d'), '60s', 'between two chunks of a body, either way'),
    tunnel: setting(duration('1s', '7d'), '1h', 'an upgraded connection without a byte'),
  },
  clientTimeout: setting(
    duration('1ms', '1d'),
    '30s',
    'how long the client waits for a response head (httpx: 30s in make-video); changes nothing, check and explain judge by it',
  ),
  retry: {
    attempts: setting(integer(1, 20), 5, 'attempts for one request, the first one included'),
    on: setting(
      listOf(retryCondition),
      ['connect-failure', 'reset', 'timeout', 502, 503, 504, 429],
      'outcomes that ask for another attempt',
    ),
    methods: setting(listOf(method), ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'], 'methods that are safe to repeat'),
    backoff: {
      initial: setting(duration('1ms', '1h'), '2s', 'wait before the first retry'),
      factor: setting(number(1, 10), 2, 'each wait is so many times the one before'),
      max: setting(duration('1ms', '1h'), '60s', 'longest wait'),
      jitter: setting(number(0, 1), 0.1, 'symmetric share that a wait varies by'),
    },
    respectRetryAfter: setting(flag, true, 'a longer Retry-After replaces the wait'),
    bodyBuffer: {
      memory: setting(size('0B', '1GiB'), '1MiB', 'request body kept in memory for replay'),
      disk: setting(size('0B', '100GiB'), '256MiB', 'request body kept on disk beyond that'),
    },
  },
  breaker: {
    consecutiveFailures: setting(integer(1, 100_000), 5, 'failures in a row that open it'),
    failureRate: switchable(failureRate, true, 'opens by the share of failures'),
    slowCalls: switchable(slowCalls, false, 'opens by the share of slow calls'),
    openFor: setting(duration('1ms', '1d'), '60s', 'how long it rejects, from the last failure'),
    openForMax: setting(duration('1ms', '1d'), '10m', 'the open time doubles on every re-opening up to this'),
    halfOpenProbes: setting(integer(1, 1000), 3, 'calls let through at once while half open'),
    closeAfter: setting(integer(1, 1000), 1, 'successes that close it'),
    failureStatus: setting(listOf(status), ['5xx'], 'response statuses that count as failures'),
  },
  collapse: setting(
    z.union([
      flag,
      z.strictObject({ headers: listOf(token).describe('headers that must be alike, too; all when not said') }),
    ]),
    false,
    'identical concurrent requests become one',
  ),
  hedge: setting(
    offOr(
      z.strictObject({
        after: z.union([z.literal('p95'), duration('1ms', '1h')]).describe('how long the first is waited for'),
        max: integer(1, 3).describe('further attempts beside the first'),
      }),
    ),
    false,
    'a second attempt beside a slow first one',
  ),
  upgrades: setting(
    listOf(protocol),
    ['websocket'],
    'protocols that a request without content may switch to; other offers are served as plain requests',
  ),
} as const satisfies Block

/** What only an upstream has, for all its routes together. */
const UPSTREAM_ONLY = {
  retry: {
    budget: {
      ratio: setting(number(0, 1), 0.2, 'retries as a share of requests'),
      minPerSecond: setting(number(0, 100_000), 3, 'retries a second that are allowed whatever the traffic'),
      window: setting(duration('1s', '1h'), '10s', 'how long a request counts for the share'),
    },
  },
  concurrency: {
    max: setting(integer(1, 100_000), 64, 'requests in flight at once'),
    queue: setting(integer(0, 1_000_000), 256, 'requests that may wait for their turn'),
    queueTimeout: setting(duration('1ms', '1h'), '5s', 'longest wait for a turn, or for a connection'),
    adaptive: setting(flag, false, 'finds the limit from latency, up to max'),
  },
  balance: {
    decay: setting(duration('1s', '1h'), '10s', 'how long a latency that was seen weighs in the choice of an endpoint'),
    slowStart: setting(duration('0ms', '1h'), '30s', 'an endpoint that has recovered gets its full share after this'),
  },
  connections: {
    max: setting(integer(1, 10_000), 16, 'connections to each endpoint of the upstream'),
    idle: setting(
      duration('1ms', '1h'),
      '4s',
      "idle connections are closed after this; less than the upstream's keep-alive",
    ),
    resolve: setting(duration('1s', '1d'), '30s', "how often the addresses of the upstream's name are asked for anew"),
  },
  rate: setting(
    offOr(
      z.strictObject({
        requests: integer(1, 100_000).describe('the most within any per'),
        per: duration('1s', '1d').describe('length of the window'),
        queueTimeout: duration('1ms', '1h').describe('longest wait for a turn; the deadline when not said').optional(),
      }),
    ),
    false,
    'paces what the upstream gets',
  ),
  tls: {
    ca: setting(text, '', 'PEM file of an authority to trust besides the system ones'),
    servername: setting(text, '', "name for SNI and the certificate, the url's host when empty"),
  },
} as const satisfies Block

/** What `defaults` and each upstream may say. */
export const UPSTREAM = {
  ...ROUTE,
  ...UPSTREAM_ONLY,
  retry: { ...ROUTE.retry, ...UPSTREAM_ONLY.retry },
} as const satisfies Block

/** Switches of single routes, which nothing is inherited for. */
export const ROUTE_ONLY = {
  idempotent: setting(flag, false, 'its requests may be repeated whatever their method'),
  failureWhen: setting(
    offOr(
      z.strictObject({
        json: pointer.describe('JSON Pointer to the status in the response'),
        in: listOf(text).min(1).describe('statuses of a failed job'),
        oncePer: text.describe('{name} in match that a failure counts once for').optional(),
        completed: listOf(text).describe('statuses of a job that is done').optional(),
      }),
    ),
    false,
    'failures that a 200 reports in its body',
  ),
  hold: setting(
    offOr(
      z.strictObject({
        json: pointer.describe('JSON Pointer to the status in the response'),
        in: listOf(text).min(1).describe('statuses of a job that goes on'),
        upTo: duration('1s', '1h').describe('longest hold'),
        every: duration('100ms', '5m').describe('between two polls of the upstream'),
      }),
    ),
    false,
    'the sidecar polls until the status changes',
  ),
  resume: setting(flag, false, 'a body that breaks off goes on with Range and If-Range'),
} as const satisfies Block

export const LOG_LEVEL = oneOf(['trace', 'debug', 'info', 'warn', 'error', 'silent'])
