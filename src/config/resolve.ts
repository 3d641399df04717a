/** From what a file says to what holds: inheritance, defaults, and what settings must be to each other. */

import type { z } from 'zod'
import { type JobConfig, jobConflicts, resolveJob, resolveTimeouts } from './jobs.ts'
import { ROUTE, ROUTE_ONLY, UPSTREAM } from './policies.ts'
import {
  type Breaker,
  type Config,
  type FILE,
  type RouteConfig,
  type Timeouts,
  TOP,
  type UpstreamConfig,
} from './schema.ts'
import { checkName } from './names.ts'
import { defaultsOf, inherit, isMap, type Values, whole } from './kinds/setting.ts'
import type { Path } from './file/source.ts'
import type { Address } from '../net/listen.ts'
import { isLoopback } from '../net/loopback.ts'

export type Conflict = { readonly path: Path; readonly message: string }

/** Between two questions to an upstream's health path, in ms, while nobody says otherwise. */
const HEALTH_INTERVAL_MS = 15_000

/** Of those that a message lists. */
const SHOWN_NAMES = 20

const TOP_VALUES = whole(TOP)
const UPSTREAM_VALUES = whole(UPSTREAM)
const OF_A_ROUTE = { ...ROUTE, ...ROUTE_ONLY }
const ROUTE_VALUES = whole(OF_A_ROUTE)

/** @param raw what the file says, found sound by its schema; @param said the same as the schema read it. */
export function resolve(raw: unknown, said: z.infer<typeof FILE>): Config {
  const file = isMap(raw) ? raw : {}
  // The blocks' own types say what their whole() yields: zod cannot follow a schema built by a loop.
  const top = TOP_VALUES.parse(inherit(TOP, defaultsOf(TOP), pick(file, Object.keys(TOP)))) as Values<typeof TOP>
  const defaults = inherit(UPSTREAM, defaultsOf(UPSTREAM), file.defaults)
  return {
    service: top.service,
    listen: orUndefined(top.listen),
    bodies: top.bodies,
    shutdown: top.shutdown,
    maxConnections: top.maxConnections,
    control: { ...top.control, metricsListen: orUndefined(top.control.metricsListen) },
    log: top.log,
    checkpoints: top.checkpoints,
    tracing: top.tracing,
    health: top.health,
    job: resolveJob(said.job),
    timeouts: resolveTimeouts(said.timeouts),
    upstreams: Object.entries(said.upstreams).map(([name, { url, urls, listen, health }]) => {
      const own = isMap(file.upstreams) && isMap(file.upstreams[name]) ? file.upstreams[name] : {}
      const { path, timeout = top.health.timeout, interval = HEALTH_INTERVAL_MS } = health ?? {}
      return {
        ...resolvePolicies(own, defaults),
        name,
        urls: urls ?? (url === undefined ? [] : [url]),
        listen: orUndefined(listen ?? false),
        health: { path, timeout, interval },
      }
    }),
  }
}

const orUndefined = (listen: Address | false) => (listen === false ? undefined : listen)

type Resolved = Omit<UpstreamConfig, 'name' | 'urls' | 'listen' | 'health'>

function resolvePolicies(own: Readonly<Record<string, unknown>>, defaults: unknown): Resolved {
  const merged = inherit(UPSTREAM, defaults, pick(own, Object.keys(UPSTREAM)))
  const values = UPSTREAM_VALUES.parse(merged) as unknown as Omit<Resolved, 'routes'>
  const routes = Array.isArray(own.routes) ? own.routes.filter(isMap) : []
  return { ...values, routes: routes.map((route) => resolveRoute(route, merged, values.retry)) }
}

function resolveRoute(
  { match, ...own }: Readonly<Record<string, unknown>>,
  upstream: unknown,
  { budget }: UpstreamConfig['retry'],
): RouteConfig {
  const inherited = pick(isMap(upstream) ? upstream : {}, Object.keys(ROUTE))
  const { budget: _, ...retry } = isMap(inherited.retry) ? inherited.retry : {}
  const merged = inherit(OF_A_ROUTE, { ...defaultsOf(ROUTE_ONLY), ...inherited, retry }, own)
  const values = ROUTE_VALUES.parse(merged) as unknown as Omit<RouteConfig, 'match'> & { readonly breaker: Breaker }
  const breaker = own.breaker === undefined ? undefined : values.breaker
  return { ...values, match: String(match), retry: { ...values.retry, budget }, breaker }
}

function pick(map: Readonly<Record<string, unknown>>, keys: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(map).filter(([key]) => keys.includes(key)))
}

/** What each setting allows, but not together with another. */
export function conflicts({ listen, control, upstreams, job, timeouts, health }: Config): Conflict[] {
  const listeners = [
    { path: ['listen'], address: listen },
    { path: ['control', 'listen'], address: control.listen },
    { path: ['control', 'metricsListen'], address: control.metricsListen },
    ...upstreams.map((upstream) => ({ path: ['upstreams', upstream.name, 'listen'], address: upstream.listen })),
  ]
  return [
    ...repeated(
      listeners.map(({ path, address }) => ({ path, key: written(address) })),
      'another listener has this address',
    ),
    ...(control.token === '' && !isLoopback(control.listen.host)
      ? [{ path: ['control', 'listen'], message: 'is not loopback: set control.token' }]
      : []),
    ...jobConflicts(job, timeouts),
    ...healthConflicts(health.critical, upstreams),
    ...upstreams.flatMap((upstream) => upstreamConflicts(upstream, Object.keys(timeouts), job)),
  ]
}

/** The names of the checks, as `/health` shows them. */
function healthConflicts(critical: readonly string[], upstreams: Config['upstreams']): Conflict[] {
  const checks = new Set(['checkpoint_store', 'disk_space', 'redis', 'celery_workers', ...upstreams.map(checkName)])
  const message = `no such check: ${[...checks].slice(0, SHOWN_NAMES).join(', ')}`
  return critical.flatMap((name, i) => (checks.has(name) ? [] : [{ path: ['health', 'critical', i], message }]))
}

/** Port 0 is a different one each time. */
const written = (address: Address | undefined) =>
  address === undefined || address.port === 0 ? undefined : `${address.host}:${address.port}`

function upstreamConflicts(
  { name, urls, routes, ...policies }: UpstreamConfig,
  computed: readonly string[],
  { inputs }: JobConfig,
): Conflict[] {
  const names = { computed, inputs: inputs.map((input) => input.name) }
  const path = ['upstreams', name]
  const matches = routes.map(({ match }, i) => ({ path: [...path, 'routes', i, 'match'], key: match }))
  return [
    ...endpointConflicts(path, urls),
    ...policyConflicts(path, policies, names),
    ...routes.flatMap((route, i) => policyConflicts([...path, 'routes', i], route, names)),
    ...routes.flatMap(({ match, failureWhen }, i) => {
      const name = failureWhen === false ? undefined : failureWhen.oncePer
      const at = [...path, 'routes', i, 'failureWhen', 'oncePer']
      return name === undefined || match.includes(`{${name}}`) ? [] : [{ path: at, message: `no {${name}} in match` }]
    }),
    ...repeated(matches, 'another route of this upstream has the same match'),
  ]
}

/** One path for all: a request does not know yet where it goes when it gets its target. */
function endpointConflicts(path: Path, urls: readonly string[]): Conflict[] {
  const [first, ...others] = urls.map((url) => new URL(url))
  if (first === undefined) return [{ path, message: 'url is missing' }]
  const at = (i: number) => [...path, 'urls', i]
  return [
    ...others.flatMap(({ pathname }, i) =>
      pathname === first.pathname ? [] : [{ path: at(i + 1), message: 'has another path than the first' }],
    ),
    ...repeated(
      [first, ...others].map(({ origin }, i) => ({ path: at(i), key: origin })),
      'another endpoint has this address',
    ),
  ]
}

type PolicySettings = Pick<RouteConfig, 'timeout' | 'retry' | 'breaker'>
type Names = { readonly computed: readonly string[]; readonly inputs: readonly string[] }

function policyConflicts(path: Path, { timeout, retry, breaker }: PolicySettings, names: Names): Conflict[] {
  const { initial, max } = retry.backoff
  const backoff = { path: [...path, 'retry', 'backoff', 'initial'], message: 'is longer than backoff.max' }
  const openFor = { path: [...path, 'breaker', 'openFor'], message: 'is longer than breaker.openForMax' }
  return [
    ...Object.entries(timeout).flatMap(([key, length]) => timeoutConflicts([...path, 'timeout', key], length, names)),
    ...(initial > max ? [backoff] : []),
    ...(breaker !== undefined && breaker.openFor > breaker.openForMax ? [openFor] : []),
  ]
}

function timeoutConflicts(path: Path, length: Timeouts[keyof Timeouts], names: Names): Conflict[] {
  if (typeof length === 'number') return []
  if ('observed' in length) {
    const tooLong = typeof length.max === 'number' && length.min > length.max
    return [
      ...timeoutConflicts([...path, 'max'], length.max, names),
      ...(tooLong ? [{ path: [...path, 'min'], message: 'is longer than max' }] : []),
    ]
  }
  const { computed, inputs } = names
  const { divideBy } = length
  return [
    ...(computed.includes(length.computed) ? [] : [{ path: [...path, 'computed'], message: 'no such timeout' }]),
    ...(divideBy === undefined || inputs.includes(divideBy)
      ? []
      : [{ path: [...path, 'divideBy'], message: 'no such input in job.inputs' }]),
  ]
}

function repeated(
  items: readonly { readonly path: Path; readonly key: string | undefined }[],
  message: string,
): Conflict[] {
  const seen = new Set<string>()
  return items.flatMap(({ path, key }) => {
    if (key === undefined) return []
    if (seen.has(key)) return [{ path, message }]
    seen.add(key)
    return []
  })
}
