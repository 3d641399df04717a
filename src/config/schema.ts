/** The whole file: every key with its type, bounds and default, and what the rest of the house gets to see of it. */

import { z } from 'zod'
import { redisOrNone, STORE_FORMS, storePlace } from '../checkpoint/place.ts'
import type { TimeoutRules } from '../job/timeouts.ts'
import type { Address } from '../net/listen.ts'
import { JOB, type JobConfig, TIMEOUTS } from './jobs.ts'
import {
  duration,
  flag,
  integer,
  listenAddress,
  listOf,
  number,
  offOr,
  oneOf,
  size,
  text,
  written,
} from './kinds/kinds.ts'
import { attributePairs, headerPairs } from './kinds/pairs.ts'
import { type Block, partial, setting, type Values } from './kinds/setting.ts'
import { ROUTE, ROUTE_ONLY, type RouteValues, UNMATCHED, UPSTREAM, type UpstreamValues } from './upstream.ts'

const NAME = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/

/** Scheme, host, port and perhaps a base path: an upstream's address, without a trailing slash. */
const url = text
  .refine(isUpstreamUrl, {
    error: 'expected http://host:port or https://host:port, without credentials, query or fragment',
  })
  .transform((written) => new URL(written).href.replace(/\/+$/, ''))
  .meta({ title: 'http://host:port or https://host:port, perhaps with a path' })

function isUpstreamUrl(written: string): boolean {
  const parsed = URL.canParse(written) ? new URL(written) : undefined
  if (parsed === undefined || !/^https?:$/.test(parsed.protocol)) return false
  return parsed.username === '' && parsed.password === '' && parsed.search === '' && parsed.hash === ''
}

/** A collector of traces; '' for none. */
const COLLECTOR_FORMS = "'' or http://host:4318 or https://…, without credentials, query or fragment"
const collector = text
  .refine((url) => url === '' || isUpstreamUrl(url), { error: `expected ${COLLECTOR_FORMS}` })
  .transform((url) => url.replace(/\/+$/, ''))
  .meta({ title: COLLECTOR_FORMS })

const PAIR_FORMS = "'' or name=value,name=value with values percent-encoded"
const headerList = written(headerPairs, PAIR_FORMS).meta({ type: 'string', title: PAIR_FORMS })
const attributeList = written(attributePairs, PAIR_FORMS).meta({ type: 'string', title: PAIR_FORMS })

/** `GET /jobs/{id}`, `POST /search/*`, `* /health`: see the proxy's routes for what they match. */
const match = text
  .regex(/^(?:[A-Z]+|\*) \/(?:(?:\{[a-zA-Z_]\w*\}|\*|[^\s{}*/?#]*)(?:\/|$))*$/, {
    error: 'expected METHOD /path, with {name} or * for a whole segment, such as GET /jobs/{id}',
  })
  .refine((pattern) => new Set(namesIn(pattern)).size === namesIn(pattern).length, {
    error: 'a {name} stands there twice',
  })

const namesIn = (pattern: string) => [...pattern.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)

const listener = offOr(listenAddress)

const REDIS_FORMS = "'' or redis://host:6379/0, rediss://…, redis+sentinel://… or redis+cluster://…"
const redis = written(redisOrNone, REDIS_FORMS).meta({ type: 'string', title: REDIS_FORMS })

const LOG_LEVEL = oneOf(['trace', 'debug', 'info', 'warn', 'error', 'silent'])

/** Everything outside `defaults` and `upstreams`. */
export const TOP = {
  version: setting(z.literal(1, { error: 'expected 1, the only version there is' }), 1, 'of this file format'),
  service: setting(
    text.min(1, { error: 'must not be empty' }).max(200),
    'breakwater',
    'named in the logs and the metrics',
  ),
  listen: setting(listener, '127.0.0.1:8080', 'shared listener: the first path segment names the upstream'),
  bodies: {
    memory: setting(size('0B', '100GiB'), '64MiB', 'all request bodies kept in memory for replay, together'),
    disk: setting(
      size('0B', '1000GB'),
      '1GiB',
      "all that are kept on disk, together: unlinked files, which count towards no emptyDir's sizeLimit",
    ),
  },
  maxConnections: setting(
    integer(1, 1_000_000),
    10_000,
    'clients of one listener; fewer where the process has too few descriptors',
  ),
  shutdown: setting(duration('0ms', '1d'), '25s', 'how long a drain may take; then what is left is cut'),
  control: {
    listen: setting(listenAddress, '127.0.0.1:8081', 'metrics and probes'),
    token: setting(text, '', 'bearer token for what shows data or changes something'),
    metricsListen: setting(listener, false, 'a listener for metrics and probes alone, without a token'),
  },
  log: {
    level: setting(LOG_LEVEL, 'info', 'least level of a line'),
    access: setting(flag, true, 'one line a request'),
  },
  checkpoints: {
    store: setting(
      written(storePlace, STORE_FORMS).meta({ type: 'string', title: STORE_FORMS }),
      'file:./data',
      'where checkpoints and jobs are kept',
    ),
    tls: {
      ca: setting(text, '', 'file (PEM) of a further certificate authority, for a store behind TLS'),
      servername: setting(text, '', 'name to ask for and to check, when it is not the host'),
    },
    ttl: setting(duration('1s', '365d'), '24h', 'how long a checkpoint lives after its last save'),
    interval: setting(integer(1, 1_000_000), 10, 'items between two saves'),
    maxItems: setting(integer(1, 10_000_000), 10_000, 'item ids in one checkpoint'),
    maxBody: setting(size('1KiB', '1GiB'), '1MiB', 'of a call to the control API'),
  },
  tracing: {
    endpoint: setting(collector, '', 'an OTLP/HTTP receiver of traces, which gets POST /v1/traces; off when empty'),
    headers: setting(headerList, '', 'sent to it with each call'),
    resource: setting(attributeList, '', 'further attributes of what the spans are of, such as k8s.pod.name'),
    sample: setting(
      number(0, 1),
      1,
      'share of traces recorded of those that begin here; others as their beginner says',
    ),
    timeout: setting(duration('1ms', '1m'), '5s', 'for one call to it'),
    interval: setting(duration('100ms', '1m'), '5s', 'longest wait of a span for others to go with it'),
    queue: setting(integer(1, 100_000), 2048, 'spans that may wait; more are dropped'),
  },
  health: {
    timeout: setting(duration('1ms', '1m'), '2s', "each check's own limit"),
    critical: setting(listOf(text), ['checkpoint_store', 'disk_space'], 'checks that make the service unhealthy'),
    redis: setting(redis, '', 'checked when set: PING, SET, GET'),
    disk: {
      path: setting(text, '/tmp', 'whose file system is looked at'),
      warnBelow: setting(size('0B', '1000GB'), '5GB', 'free space that is little'),
      failBelow: setting(size('0B', '1000GB'), '1GB', 'free space that is too little'),
    },
    celery: {
      broker: setting(redis, '', "checked when set: the workers' Redis broker"),
      timeout: setting(duration('1ms', '1m'), '2s', 'for the workers to answer'),
    },
  },
} as const satisfies Block

/** An upstream's own health path. */
const UPSTREAM_HEALTH = z.strictObject({
  path: text
    .regex(/^\//, { error: 'expected a path such as /health' })
    .describe('asked by GET, answered with 2xx when well'),
  timeout: duration('1ms', '1m').describe('for it to answer; health.timeout when not said').optional(),
  interval: duration('1s', '1h').meta({ description: 'between two questions', byDefault: '15s' }).optional(),
})

const route = z.strictObject({
  match: match.meta({
    description: 'method and path of its requests; the first route that matches wins',
    title: 'METHOD /path, with {name} or * for a whole segment',
  }),
  ...partial(ROUTE).shape,
  ...partial(ROUTE_ONLY).shape,
})

const upstream = z
  .strictObject({
    ...partial(UPSTREAM).shape,
    url: url.describe('where it is').optional(),
    urls: z
      .array(url)
      .min(1, { error: 'at least one is needed' })
      .max(100)
      .describe('its endpoints, in place of url')
      .optional(),
    listen: listener.describe('a listener of its own, for whoever does not use the shared one').optional(),
    health: UPSTREAM_HEALTH.describe('informs, and lets an open breaker probe early').optional(),
    routes: z
      .array(route)
      .max(1000, { error: 'has more than 1000 routes' })
      .describe('requests with settings of their own')
      .optional(),
  })
  .refine((said) => said.url === undefined || said.urls === undefined, {
    error: 'url is there too: one of them',
    path: ['urls'],
  })

/** What a file may say, level by level, before anything is inherited. */
export const FILE = z.strictObject({
  ...partial(TOP).shape,
  job: JOB.describe('how a request tells the shape of the job that it belongs to').optional(),
  timeouts: TIMEOUTS.describe(
    "timeouts computed from a job's inputs, by name; total is a registered job's deadline",
  ).optional(),
  defaults: partial(UPSTREAM)
    .describe('every upstream starts from these; an upstream, then a route, overrides key by key')
    .optional(),
  upstreams: z
    .record(
      z.string().regex(NAME, { error: 'a name has small letters, digits and inner hyphens, 63 at most' }),
      upstream,
    )
    .refine((all) => Object.keys(all).length > 0, { error: 'at least one upstream is needed' })
    .refine((all) => Object.keys(all).length <= 1000, { error: 'has more than 1000 upstreams' })
    .describe('the services behind, by name'),
})

export type RouteConfig = RouteValues & { readonly match: string }

/** How an upstream is looked at; the path undefined when it has none of its own. Both in ms. */
type UpstreamHealthConfig = {
  readonly path: string | undefined
  readonly timeoutMs: number
  readonly intervalMs: number
}

export type UpstreamConfig = UpstreamValues & {
  readonly name: string
  /** Of its endpoints, one at least; without a trailing slash, all with the same path. */
  readonly urls: readonly string[]
  /** undefined when it has no listener of its own. */
  readonly listen: Address | undefined
  readonly health: UpstreamHealthConfig
  /** In the order of the file: the first that matches wins. */
  readonly routes: readonly RouteConfig[]
}

/** What holds for requests that match none of the routes. */
export const unmatchedRoute = (upstream: UpstreamConfig): RouteValues => ({ ...upstream, ...UNMATCHED })

/** Durations in ms, sizes in bytes; nothing is absent but by `undefined`, and nothing can be changed. */
export type Config = {
  readonly service: string
  /** undefined when the shared listener is off. */
  readonly listen: Address | undefined
  readonly bodies: Values<typeof TOP.bodies>
  /** The longest drain, in ms. */
  readonly shutdown: number
  /** Of one listener. */
  readonly maxConnections: number
  readonly control: {
    readonly listen: Address
    readonly token: string
    /** For metrics and probes alone; undefined when it is off. */
    readonly metricsListen: Address | undefined
  }
  readonly log: Values<typeof TOP.log>
  readonly checkpoints: Values<typeof TOP.checkpoints>
  readonly tracing: Values<typeof TOP.tracing>
  readonly health: Values<typeof TOP.health>
  readonly job: JobConfig
  readonly timeouts: TimeoutRules
  readonly upstreams: readonly UpstreamConfig[]
}
