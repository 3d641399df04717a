/** The schema of the file: every key with type, bounds and default, and the type of Config. */

import { z } from 'zod'
import { redisOrNone, STORE_FORMS, storePlace } from '../checkpoint/place.ts'
import { INCIDENT_PHASES } from '../events.ts'
import { HEADER_FORM, MATCH_FORM, namesIn } from '../job/match.ts'
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
  token,
  written,
} from './kinds/kinds.ts'
import { attributePairs, headerPairs } from './kinds/pairs.ts'
import { type Block, isMap, joined, partial, setting, switchable, type Values } from './kinds/setting.ts'
import { ROUTE, ROUTE_ONLY, type RouteValues, SERVICE, UNMATCHED, UPSTREAM, type UpstreamValues } from './upstream.ts'
import type { ServicePolicies } from '../policy/policies.ts'

const NAME = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/

/** Address of an upstream: scheme, host, port and an optional base path, without a trailing slash. */
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

const TRACE_LINK_FORMS = "'' or http://… or https://… with {trace_id} in it"
/** URL of a trace in a tool, with a place for its id; '' for none. */
const traceLink = text
  .refine((url) => url === '' || /^https?:\/\/\S*\{trace_id\}/.test(url), { error: `expected ${TRACE_LINK_FORMS}` })
  .meta({ title: TRACE_LINK_FORMS })

const COLLECTOR_FORMS = "'' or http://host:4318 or https://…, without credentials, query or fragment"
/** Address of a trace collector; '' for none. */
const collector = text
  .refine((url) => url === '' || isUpstreamUrl(url), { error: `expected ${COLLECTOR_FORMS}` })
  .transform((url) => url.replace(/\/+$/, ''))
  .meta({ title: COLLECTOR_FORMS })

const WEBHOOK_FORMS = "'' or http://… or https://…, without a user or a fragment"
/** Address of a webhook, perhaps with a token in its path or query; '' for none. */
const webhook = text
  .refine((url) => url === '' || isWebhookUrl(url), { error: `expected ${WEBHOOK_FORMS}` })
  .meta({ title: WEBHOOK_FORMS })

function isWebhookUrl(written: string): boolean {
  const parsed = URL.canParse(written) ? new URL(written) : undefined
  return parsed !== undefined && /^https?:$/.test(parsed.protocol) && parsed.username === '' && parsed.hash === ''
}

const PAIR_FORMS = "'' or name=value,name=value with values percent-encoded"
const headerList = written(headerPairs, PAIR_FORMS).meta({ type: 'string', title: PAIR_FORMS })
const attributeList = written(attributePairs, PAIR_FORMS).meta({ type: 'string', title: PAIR_FORMS })

/** Method, path and query: see compileMatch. */
const request = text
  .regex(MATCH_FORM, {
    error:
      'expected METHOD /path, with {name} or * for a segment, such as GET /jobs/{id}, POST /v1/{name}:cancel or GET /query-job?job_id={id}',
  })
  .refine((pattern) => new Set(namesIn(pattern)).size === namesIn(pattern).length, {
    error: 'a {name} stands there twice',
  })

const match = z.union([
  request,
  z.strictObject({
    request: request.describe('Method, path and query.'),
    headers: z
      .record(
        token,
        text.regex(HEADER_FORM, { error: 'expected visible characters without a comma; * stands for any text' }),
      )
      .refine((all) => Object.keys(all).length > 0, { error: 'has no field' })
      .describe('Values of request fields, by name. A * stands for any text.'),
  }),
])

const listener = offOr(listenAddress)

const REDIS_FORMS = "'' or redis://host:6379/0, rediss://…, redis+sentinel://… or redis+cluster://…"
const redis = written(redisOrNone, REDIS_FORMS).meta({ type: 'string', title: REDIS_FORMS })

const LOG_LEVEL = oneOf(['trace', 'debug', 'info', 'warn', 'error', 'silent'])

/** TLS to a Redis whose URL is `rediss:`. */
const tlsOf = (server: string) => ({
  ca: setting(text, '', `PEM file of a certificate authority to trust for ${server}, besides the default ones.`),
  servername: setting(text, '', `Server name (SNI) of ${server} and of its certificate. The host when empty.`),
  cert: setting(text, '', `PEM file of the client certificate for ${server}, with its chain. Needs key.`),
  key: setting(text, '', 'PEM file of the private key of cert.'),
})

/** Settings outside of `defaults` and `upstreams`. */
export const TOP = {
  fleet: switchable(
    {
      redis: setting(
        redis,
        '',
        "Redis that the sidecars of a fleet share: one server, Sentinel or Cluster. `redis: ''` is no fleet.",
      ),
      name: setting(
        text.regex(NAME, { error: 'a name has small letters, digits and inner hyphens, 63 at most' }),
        'breakwater',
        'Name of the fleet. Sidecars with the same name and Redis share their limits.',
      ),
      pods: setting(
        integer(1, 100_000),
        1,
        'Number of sidecars before any is known. Without Redis each takes that share of a limit.',
      ),
      tls: tlsOf('the Redis of the fleet'),
    },
    false,
    'Joins this sidecar with others: `rate`, `concurrency.fleet` and `limits.<name>.fleet` hold for all of them together.',
  ),
  version: setting(z.literal(1, { error: 'expected 1, the only version there is' }), 1, 'Version of the file format.'),
  service: setting(
    text.min(1, { error: 'must not be empty' }).max(200),
    'breakwater',
    'Name of the service, in log lines and metrics.',
  ),
  listen: setting(listener, '127.0.0.1:8080', 'Shared listener. The first path segment names the upstream.'),
  bodies: {
    memory: setting(size('0B', '100GiB'), '64MiB', 'Total memory for request bodies that are kept for a retry.'),
    disk: setting(
      size('0B', '1000GB'),
      '1GiB',
      "Total disk space for request bodies that are kept for a retry. The files are unlinked: an emptyDir's sizeLimit does not count them.",
    ),
  },
  maxConnections: setting(
    integer(1, 1_000_000),
    10_000,
    'Client connections of one listener. Fewer when the process has too few file descriptors.',
  ),
  maxHead: setting(
    size('4KiB', '1MiB'),
    '64KiB',
    'Largest head of a request or a response: its first line and its fields.',
  ),
  shutdown: setting(duration('0ms', '1d'), '25s', 'Longest drain. Requests that are still under way then are cut.'),
  control: {
    listen: setting(listenAddress, '127.0.0.1:8081', 'Control listener: API, page, metrics and probes.'),
    token: setting(text, '', 'Bearer token for calls that show data or change something.'),
    metricsListen: setting(listener, false, 'Listener for metrics and probes only, without a token.'),
  },
  log: {
    level: setting(LOG_LEVEL, 'info', 'Lowest level that is logged.'),
    access: setting(flag, true, 'Logs one line for each request.'),
  },
  notify: {
    url: setting(
      webhook,
      '',
      'Webhook that is told of incidents (POST, JSON with a text as Slack shows it). Off when empty.',
    ),
    on: setting(
      z.array(oneOf(INCIDENT_PHASES)).min(1, { error: 'names at least one' }),
      [...INCIDENT_PHASES],
      'What to tell: that an incident opened, that it closed.',
    ),
    timeout: setting(duration('1ms', '1m'), '5s', 'Timeout of one call to the webhook.'),
  },
  checkpoints: {
    store: setting(
      written(storePlace, STORE_FORMS).meta({ type: 'string', title: STORE_FORMS }),
      'file:./data',
      'Store for checkpoints and jobs.',
    ),
    tls: tlsOf('the store'),
    ttl: setting(duration('1s', '365d'), '24h', 'Time after its last save at which a checkpoint expires.'),
    interval: setting(
      integer(1, 1_000_000),
      10,
      'Finished items between two saves, for clients that ask whether one is due.',
    ),
    maxItems: setting(integer(1, 10_000_000), 10_000, 'Largest number of item ids in one checkpoint.'),
    maxBody: setting(size('1KiB', '1GiB'), '1MiB', 'Largest body of a call to the control API.'),
  },
  tracing: {
    endpoint: setting(collector, '', 'OTLP/HTTP receiver of traces (POST /v1/traces). Tracing is off when empty.'),
    link: setting(
      traceLink,
      '',
      'URL of a trace in your tracing tool, with {trace_id} in it, to which the page links. No link when empty.',
    ),
    headers: setting(headerList, '', 'Headers of each call to the receiver.'),
    resource: setting(attributeList, '', 'Resource attributes of the spans, such as k8s.pod.name.'),
    sample: setting(
      number(0, 1),
      1,
      'Share of traces that are recorded when the client sends no traceparent. A traceparent decides for its own trace.',
    ),
    timeout: setting(duration('1ms', '1m'), '5s', 'Timeout of one call to the receiver.'),
    interval: setting(duration('100ms', '1m'), '5s', 'Longest time that a span waits to be sent in a batch.'),
    queue: setting(integer(1, 100_000), 2048, 'Largest number of waiting spans. More are dropped.'),
  },
  health: {
    timeout: setting(duration('1ms', '1m'), '2s', 'Timeout of each health check.'),
    critical: setting(
      listOf(text),
      ['checkpoint_store', 'disk_space'],
      'Checks that make the service unhealthy when they fail. Other checks make it degraded.',
    ),
    redis: setting(redis, '', 'Redis to check with PING, SET and GET. Not checked when empty.'),
    tls: tlsOf('health.redis'),
    disk: {
      path: setting(text, '/tmp', 'Path whose file system is checked for free space.'),
      warnBelow: setting(size('0B', '1000GB'), '5GB', 'Free space below which the check warns.'),
      failBelow: setting(size('0B', '1000GB'), '1GB', 'Free space below which the check fails.'),
    },
    celery: {
      broker: setting(redis, '', 'Redis broker of the Celery workers to check. Not checked when empty.'),
      tls: tlsOf('the broker'),
      timeout: setting(duration('1ms', '1m'), '2s', 'Time for the workers to answer.'),
      busyFor: setting(
        duration('0s', '24h'),
        '1h',
        'Longest time for which no worker may answer before the check fails: with --pool=solo a worker does not while a task runs. 0s for none.',
      ),
      keyPrefix: setting(text.max(200), '', "global_keyprefix of the workers' broker_transport_options."),
      queues: setting(listOf(text), [], 'Names of queues whose waiting tasks are counted in the details.'),
    },
  },
} as const satisfies Block

/** Health check of an upstream: path, timeout and interval. */
const UPSTREAM_HEALTH = z.strictObject({
  path: text
    .regex(/^\//, { error: 'expected a path such as /health' })
    .describe('Path of the health check: GET, healthy on 2xx.'),
  timeout: duration('1ms', '1m').describe('Timeout of the health check. health.timeout by default.').optional(),
  interval: duration('1s', '1h').meta({ description: 'Time between two health checks.', byDefault: '15s' }).optional(),
})

const route = z.strictObject({
  match: match.meta({
    description: "Method and path of the route's requests.",
    title: 'METHOD /path?query, with {name} or * for a segment, or { request:, headers: }',
  }),
  ...partial(joined([ROUTE, ROUTE_ONLY])).shape,
})

const routes = z.array(route).max(1000, { error: 'has more than 1000 routes' })

/** Names of upstreams and of route sets. */
const name = z.string().regex(NAME, { error: 'a name has small letters, digits and inner hyphens, 63 at most' })

const upstream = z
  .strictObject({
    ...partial(UPSTREAM).shape,
    url: url.describe('Address of the upstream.').optional(),
    urls: z
      .array(url)
      .min(1, { error: 'at least one is needed' })
      .max(100)
      .describe("Addresses of the upstream's endpoints, instead of url.")
      .optional(),
    listen: listener
      .describe('Listener of this upstream alone, for clients that do not use the shared one.')
      .optional(),
    health: UPSTREAM_HEALTH.describe(
      'Health check of the upstream. Shown in /health; a success lets an open breaker probe early.',
    ).optional(),
    routes: routes
      .describe(
        'Requests with settings of their own. The first route that matches applies. { use: name } stands for the routes of a set.',
      )
      .optional(),
  })
  .refine((upstream) => upstream.url === undefined || upstream.urls === undefined, {
    error: 'url is there too: one of them',
    path: ['urls'],
  })

/** Schema of the file, before inheritance. */
export const FILE = z.strictObject({
  ...partial(joined([TOP, SERVICE])).shape,
  job: JOB.describe('How a request describes the job that it belongs to.').optional(),
  timeouts: TIMEOUTS.describe(
    "Timeouts computed from a job's inputs, by name. total is the deadline of a registered job.",
  ).optional(),
  defaults: partial(UPSTREAM)
    .describe('Settings of every upstream. An upstream, then a route, overrides them key by key.')
    .optional(),
  routeSets: z
    .record(name, routes)
    .describe('Lists of routes by name, for upstreams with the same routes: { use: name } among their routes.')
    .optional(),
  upstreams: z
    .record(name, upstream)
    .refine((all) => Object.keys(all).length > 0, { error: 'at least one upstream is needed' })
    .refine((all) => Object.keys(all).length <= 1000, { error: 'has more than 1000 upstreams' })
    .describe('Upstreams, by name.'),
})

/** @property match as `matchName` writes it: it names the route. */
export type RouteConfig = RouteValues & { readonly match: string }

/** Health check of an upstream; path undefined without one. */
type UpstreamHealthConfig = {
  readonly path: string | undefined
  readonly timeoutMs: number
  readonly intervalMs: number
}

export type UpstreamConfig = UpstreamValues & {
  readonly name: string
  /** Addresses of its endpoints, at least one, without a trailing slash and with the same path. */
  readonly urls: readonly string[]
  /** undefined when it has no listener of its own. */
  readonly listen: Address | undefined
  readonly health: UpstreamHealthConfig
  /** In the order of the file: the first that matches wins. */
  readonly routes: readonly RouteConfig[]
}

/** Settings for requests that match no route. */
export const unmatchedRoute = (upstream: UpstreamConfig): RouteValues => ({ ...upstream, ...unmatchedIn(upstream) })

/** The values of UNMATCHED. A block that has keys of both levels keeps those of the upstream. */
function unmatchedIn(upstream: UpstreamConfig): typeof UNMATCHED {
  const outer: Readonly<Record<string, unknown>> = upstream
  const merged = Object.entries(UNMATCHED).map(([key, value]) => {
    const inherited = outer[key]
    return [key, isMap(value) && isMap(inherited) ? { ...inherited, ...value } : value] as const
  })
  return Object.fromEntries(merged) as typeof UNMATCHED
}

/** Durations in ms, sizes in bytes. Frozen; absent values are undefined. */
export type Config = ServicePolicies & {
  readonly service: string
  /** undefined when the shared listener is off. */
  readonly listen: Address | undefined
  readonly bodies: Values<typeof TOP.bodies>
  /** Longest drain, in ms. */
  readonly shutdown: number
  /** Client connections of one listener. */
  readonly maxConnections: number
  /** Largest head of a message, in bytes. */
  readonly maxHead: number
  readonly control: {
    readonly listen: Address
    readonly token: string
    /** Listener for metrics and probes only; undefined when it is off. */
    readonly metricsListen: Address | undefined
  }
  readonly log: Values<typeof TOP.log>
  readonly notify: Values<typeof TOP.notify>
  readonly checkpoints: Values<typeof TOP.checkpoints>
  readonly tracing: Values<typeof TOP.tracing>
  readonly health: Values<typeof TOP.health>
  /** false without a fleet. */
  readonly fleet: Values<typeof TOP.fleet>
  readonly job: JobConfig
  readonly timeouts: TimeoutRules
  readonly upstreams: readonly UpstreamConfig[]
}
