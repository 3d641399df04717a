/** Resolves a file into Config: inheritance, defaults, and conflicts between settings. */

import type { TlsSettings } from '../net/tls/files.ts'
import type { z } from 'zod'
import { jobConflicts, resolveJob, resolveTimeouts } from './jobs.ts'
import { POLICIES, type ServicePolicies } from '../policy/policies.ts'
import type { Conflict } from '../policy/scope.ts'
import { type Config, type FILE, type RouteConfig, TOP, unmatchedRoute, type UpstreamConfig } from './schema.ts'
import { ROUTE, ROUTE_ONLY, SEPARATE, SERVICE, UPSTREAM, UPSTREAM_ONLY } from './upstream.ts'
import { checkName } from './names.ts'
import { type Block, defaultsOf, inherit, isMap, joined, type Values, whole } from './kinds/setting.ts'
import type { Path } from './file/source.ts'
import { matchName } from '../job/match.ts'
import type { Address } from '../net/listen.ts'
import { isLoopback } from '../net/loopback.ts'

/** Default interval of upstreams' health checks, in ms. */
const HEALTH_INTERVAL_MS = 15_000

/** Largest number of names in a message. */
const SHOWN_NAMES = 20

const TOP_VALUES = whole(TOP)
const SERVICE_VALUES = whole(SERVICE)
const UPSTREAM_VALUES = whole(UPSTREAM)
const OF_A_ROUTE = joined([ROUTE, ROUTE_ONLY])
const ROUTE_VALUES = whole(OF_A_ROUTE)

/** @param raw the file's values, accepted by its schema. @param parsed the same values as the schema read them. */
export function resolve(raw: unknown, parsed: z.infer<typeof FILE>): Config {
  const file = isMap(raw) ? raw : {}
  // zod cannot type a schema that a loop builds; the blocks' types say what `whole` yields.
  const top = TOP_VALUES.parse(inherit(TOP, defaultsOf(TOP), pick(file, Object.keys(TOP)))) as Values<typeof TOP>
  const service = SERVICE_VALUES.parse(inherit(SERVICE, defaultsOf(SERVICE), pick(file, Object.keys(SERVICE))))
  const defaults = inherit(UPSTREAM, defaultsOf(UPSTREAM), file.defaults)
  return {
    ...(service as ServicePolicies),
    service: top.service,
    listen: orUndefined(top.listen),
    bodies: top.bodies,
    shutdown: top.shutdown,
    maxConnections: top.maxConnections,
    maxHead: top.maxHead,
    control: { ...top.control, metricsListen: orUndefined(top.control.metricsListen) },
    log: top.log,
    checkpoints: top.checkpoints,
    tracing: top.tracing,
    notify: top.notify,
    health: top.health,
    // A file for one sidecar and for many leaves the URL to a variable, which may be empty.
    fleet: isMap(file.fleet) && file.fleet.redis === '' ? false : top.fleet,
    job: resolveJob(parsed.job),
    timeouts: resolveTimeouts(parsed.timeouts),
    upstreams: Object.entries(parsed.upstreams).map(([name, { url, urls, listen, health }]) => {
      const own = isMap(file.upstreams) && isMap(file.upstreams[name]) ? file.upstreams[name] : {}
      const { path, timeout = top.health.timeout, interval = HEALTH_INTERVAL_MS } = health ?? {}
      return {
        ...resolvePolicies(own, defaults),
        name,
        urls: urls ?? (url === undefined ? [] : [url]),
        listen: orUndefined(listen ?? false),
        health: { path, timeoutMs: timeout, intervalMs: interval },
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
  return { ...values, routes: routes.map((route) => resolveRoute(route, merged)) }
}

/** @param upstream values of the upstream as written, with what it inherits. */
function resolveRoute({ match, ...own }: Readonly<Record<string, unknown>>, upstream: unknown): RouteConfig {
  const inherited = only(ROUTE, isMap(upstream) ? upstream : {})
  const outer = inherit(OF_A_ROUTE, defaultsOf(ROUTE_ONLY), inherited)
  const values = ROUTE_VALUES.parse(inherit(OF_A_ROUTE, outer, own))
  const shared = SEPARATE.filter((key) => own[key] === undefined).map((key) => [key, undefined] as const)
  return { ...values, ...Object.fromEntries(shared), match: writtenMatch(match) } as unknown as RouteConfig
}

function writtenMatch(match: unknown): string {
  if (!isMap(match)) return String(match)
  const headers = isMap(match.headers) ? match.headers : {}
  return matchName(
    String(match.request),
    Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)])),
  )
}

/** The keys of a block within a map. An upstream's map has further keys that a route must not inherit. */
function only(block: Block, map: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(map)
      .filter(([key]) => block[key] !== undefined)
      .map(([key, value]) => {
        const inner = UPSTREAM_ONLY[key]
        return [key, inner !== undefined && isMap(value) ? pick(value, Object.keys(block[key] ?? {})) : value]
      }),
  )
}

function pick(map: Readonly<Record<string, unknown>>, keys: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(map).filter(([key]) => keys.includes(key)))
}

/** Conflicts between settings that are valid by themselves. */
export function conflicts(config: Config): Conflict[] {
  const { listen, control, upstreams, timeouts, health, job } = config
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
    ...covered(listeners),
    ...(control.token === '' && !isLoopback(control.listen.host)
      ? [{ path: ['control', 'listen'], message: 'is not loopback: set control.token' }]
      : []),
    ...jobConflicts(job, timeouts),
    ...healthConflicts(health.critical, upstreams),
    ...fleetConflicts(config.fleet),
    ...tlsConflicts(['checkpoints'], config.checkpoints.tls),
    ...tlsConflicts(['health'], health.tls),
    ...tlsConflicts(['health', 'celery'], health.celery.tls),
    ...upstreams.flatMap((upstream) => upstreamConflicts(upstream, config)),
  ]
}

/** Listeners on a port that another one has on every address: the system refuses the second. */
function covered(
  listeners: readonly { readonly path: Path; readonly address: Address | undefined }[],
): { readonly path: Path; readonly message: string }[] {
  const all = listeners.filter(({ address }) => address !== undefined && isEveryAddress(address.host))
  return listeners.flatMap(({ path, address }) => {
    if (address === undefined || address.port === 0 || isEveryAddress(address.host)) return []
    const other = all.find((one) => one.address?.port === address.port)
    if (other?.address === undefined) return []
    return [{ path, message: `${other.path.join('.')} has this port on every address: ${other.address.host}` }]
  })
}

const isEveryAddress = (host: string) => host === '0.0.0.0' || host === '::'

/** Names of checks as in `/health`. */
function healthConflicts(critical: readonly string[], upstreams: Config['upstreams']): Conflict[] {
  const checks = new Set(['checkpoint_store', 'disk_space', 'redis', 'celery_workers', ...upstreams.map(checkName)])
  const message = `no such check: ${[...checks].slice(0, SHOWN_NAMES).join(', ')}`
  return critical.flatMap((name, i) => (checks.has(name) ? [] : [{ path: ['health', 'critical', i], message }]))
}

/** Port 0 never conflicts. */
const written = (address: Address | undefined) =>
  address === undefined || address.port === 0 ? undefined : `${address.host}:${address.port}`

function upstreamConflicts(upstream: UpstreamConfig, { timeouts, job, limits }: Config): Conflict[] {
  const { name, urls, routes, tls, concurrency } = upstream
  const path = ['upstreams', name]
  const names = {
    computed: Object.keys(timeouts),
    inputs: job.inputs.map((input) => input.name),
    limits: Object.keys(limits),
  }
  const ofPolicies = (at: Path, settings: RouteConfig) =>
    POLICIES.flatMap((policy) => policy.conflicts?.(settings, { ...names, match: settings.match }) ?? []).map(
      (conflict) => ({ ...conflict, path: [...at, ...conflict.path] }),
    )
  const matches = routes.map(({ match }, i) => ({ path: [...path, 'routes', i, 'match'], key: match }))
  return [
    ...endpointConflicts(path, urls),
    ...tlsConflicts(path, tls),
    ...(concurrency.adaptive && concurrency.fleet !== false
      ? [{ path: [...path, 'concurrency', 'fleet'], message: 'adaptive sets the limit, too: one of them' }]
      : []),
    ...ofPolicies(path, { ...unmatchedRoute(upstream), ...pick(upstream, SEPARATE), match: '' }),
    ...routes.flatMap((route, i) => ofPolicies([...path, 'routes', i], route)),
    ...repeated(matches, 'another route of this upstream has the same match'),
  ]
}

function fleetConflicts(fleet: Config['fleet']): Conflict[] {
  if (fleet === false) return []
  const missing = fleet.redis === false ? [{ path: ['fleet'], message: 'redis is missing' }] : []
  return [...missing, ...tlsConflicts(['fleet'], fleet.tls)]
}

function tlsConflicts(path: Path, { cert, key }: Pick<TlsSettings, 'cert' | 'key'>): Conflict[] {
  if ((cert === '') === (key === '')) return []
  const [given, missing] = cert === '' ? ['key', 'cert'] : ['cert', 'key']
  return [{ path: [...path, 'tls', given], message: `needs tls.${missing}, too` }]
}

/** All endpoints need the same path: the endpoint is chosen after the request's target is made. */
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
