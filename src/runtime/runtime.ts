import type { Config } from '../config/schema.ts'
import type { Deps } from '../deps.ts'
import type { BreakerOrder, EndpointSnapshot, ServiceSnapshot, Snapshot, UpstreamSnapshot } from '../events.ts'
import { compileMatch } from '../job/match.ts'
import type { TimeoutRules } from '../job/timeouts.ts'
import type { Breaker } from '../policy/breaker/breaker.ts'
import { breakerControl } from '../policy/breaker/breakers.ts'
import { pipeline } from '../policy/pipeline.ts'
import { POLICIES, type FullPlace, type FullStanding, type ServiceStates } from '../policy/policies.ts'
import type { RouteTraits } from '../policy/exchange.ts'
import type { PeerNews } from '../peers.ts'
import { NO_ROUTE } from '../policy/policy.ts'
import { fieldRulesOf, type SourceOf } from './field-rules.ts'
import type { Route, Upstream } from '../proxy/route.ts'
import {
  activateService,
  activateUpstream,
  type Connect,
  leftBehind,
  prepareService,
  prepareUpstream,
  type RetainedState,
  type UpstreamState,
} from './retained.ts'

/** A configuration compiled for requests. Listeners read it once per request. */
export type Runtime = {
  readonly upstreams: ReadonlyMap<string, Upstream>
  /** State that a successor may take over. */
  readonly retained: RetainedState
  readonly snapshot: () => Pick<Snapshot, 'upstreams'> & ServiceSnapshot
  /** Whether any breaker of the endpoint is open. */
  readonly isOpen: (upstream: string, origin: string) => boolean
  /** Lets open breakers of the endpoint admit probes, after its health check succeeded. */
  readonly allowProbes: (upstream: string, origin: string) => void
  /** Sets the mode of an upstream's breakers. @returns the number of matching breakers. */
  readonly setMode: (upstream: string, matches: (breaker: Breaker) => boolean, order: BreakerOrder) => number
  /** Takes what another sidecar of the fleet told. */
  readonly hear: (news: PeerNews) => void
  /** Closes the connections to all upstreams. */
  readonly close: () => Promise<void>
}

/** What the process lends to a configuration that names files. */
export type Files = {
  /** Throws when the file cannot be read. */
  readonly readText: (path: string) => string
  readonly sourceOf: SourceOf
}

/**
 * Compiles a configuration.
 * @param before retained state of the Runtime in force; undefined for the first. Stays unchanged.
 * @throws Error for a file that cannot be read.
 */
export function compile(
  config: Config,
  before: RetainedState | undefined,
  connect: Connect,
  { readText, sourceOf }: Files,
  deps: Deps,
): Runtime {
  const service = prepareService(config, before?.service, deps)
  const retained = new Map(
    config.upstreams.map((upstream) => [
      upstream.name,
      prepareUpstream(upstream, before?.upstreams.get(upstream.name), connect, readText, deps),
    ]),
  )
  const states = [...retained.values()]
  const breakers = new Map(
    states.map(({ config: { name }, states: { breakers } }) => [name, breakerControl(breakers, deps)]),
  )
  return {
    upstreams: new Map(
      states.map((state) => [
        state.config.name,
        compileUpstream(state, service.states, config.timeouts, sourceOf, deps),
      ]),
    ),
    retained: { service, upstreams: retained },
    snapshot: () => ({
      ...serviceSnapshotOf(service.states, deps),
      upstreams: states.map((state) => snapshotOf(state, deps)),
    }),
    isOpen: (name, origin) => breakers.get(name)?.isOpen(origin) ?? false,
    allowProbes: (name, origin) => breakers.get(name)?.allowProbes(origin),
    setMode: (name, matches, order) => breakers.get(name)?.setMode(matches, order) ?? 0,
    hear: (news) => {
      for (const policy of POLICIES) policy.serviceHear?.(service.states, news, deps)
      for (const state of states)
        for (const policy of POLICIES) policy.hear?.(standingOf(state, deps), state.config.name, news)
    },
    close: async () => {
      await Promise.all(states.flatMap(({ endpoints }) => endpoints.map(({ wire }) => wire.close())))
    },
  }
}

/**
 * Puts retained state in force: applies the settings to it, and retires connections that are left behind once their requests
 * have ended.
 */
export function activate(before: RetainedState, after: RetainedState, deps: Deps): void {
  activateService(after.service, before.service, deps)
  for (const [name, state] of after.upstreams) activateUpstream(state, before.upstreams.get(name), deps)
  for (const wire of leftBehind(before.upstreams, after.upstreams)) wire.retire()
}

function compileUpstream(
  state: UpstreamState,
  service: ServiceStates,
  rules: TimeoutRules,
  sourceOf: SourceOf,
  deps: Deps,
): Upstream {
  const { config, endpoints } = state
  const [first] = config.urls
  if (first === undefined) throw new Error(`${config.name} has no url`)
  const { pathname } = new URL(first)
  const compiled = state.routes.map((route) => compileRoute(route, state, service, rules, sourceOf, deps))
  const fallback = compiled.pop()
  if (fallback === undefined) throw new Error(`${config.name} has no route ${NO_ROUTE}`)
  return {
    name: config.name,
    origins: endpoints.map(({ origin }) => new URL(origin)),
    basePath: pathname === '/' ? '' : pathname,
    routes: compiled.map((route) => ({ matches: compileMatch(route.ref.route), route })),
    fallback,
  }
}

function compileRoute(
  { owner, states }: UpstreamState['routes'][number],
  upstream: UpstreamState,
  service: ServiceStates,
  rules: TimeoutRules,
  sourceOf: SourceOf,
  deps: Deps,
): Route {
  const { match, ref, settings } = owner
  const place: FullPlace = {
    match,
    route: settings,
    upstream: upstream.config,
    state: { ...service, ...upstream.states, ...states },
    endpoints: upstream.endpoints.map(({ origin, states: state, wire }) => ({ origin, state, transport: wire.send })),
    deps,
  }
  const at = match === NO_ROUTE ? undefined : indexOf(upstream, match)
  const { upgrades } = (at === undefined ? undefined : upstream.config.routes[at]) ?? upstream.config
  return {
    ref,
    send: pipeline(place),
    upgrades: new Set(upgrades.map((name) => name.toLowerCase())),
    fields: fieldRulesOf(upstream.config, at, sourceOf),
    ...traitsOf(place, rules),
  }
}

function indexOf({ config }: UpstreamState, match: string): number {
  const at = config.routes.findIndex((one) => one.match === match)
  if (at < 0) throw new Error(`${config.name} has no route ${match}`)
  return at
}

const NO_TIMEOUTS = { connectMs: 0, attemptMs: 0, totalMs: 0, idleMs: 0, usefulMs: 0 }

function traitsOf(place: FullPlace, rules: TimeoutRules): RouteTraits {
  const none: Omit<RouteTraits, 'groupOf'> = {
    idempotent: false,
    idempotentMethods: new Set(),
    jobs: undefined,
    jobLink: undefined,
    bodyLimits: { memory: 0, disk: 0 },
    mayBeRefused: false,
    timeouts: NO_TIMEOUTS,
    tunnelMs: 0,
  }
  return Object.assign(none, ...POLICIES.map((policy) => policy.traits?.(place, rules)))
}

const serviceSnapshotOf = (states: ServiceStates, deps: Deps): ServiceSnapshot =>
  Object.assign({ limits: [] }, ...POLICIES.map((policy) => policy.serviceSnapshot?.(states, deps)))

const standingOf = ({ config, states, endpoints, routes }: UpstreamState, deps: Deps): FullStanding => ({
  upstream: config,
  state: states,
  endpoints: endpoints.map(({ origin, states: state }) => ({ origin, state })),
  routes: routes.map((route) => route.states),
  deps,
})

function snapshotOf(upstream: UpstreamState, deps: Deps): UpstreamSnapshot {
  const { config, endpoints } = upstream
  const standing = standingOf(upstream, deps)
  const parts = POLICIES.flatMap((policy) => policy.snapshot?.(standing) ?? [])
  const sum = (key: 'inFlight' | 'queued' | 'limit' | 'held' | 'retryBudget') =>
    parts.reduce((total, part) => total + (part[key] ?? 0), 0)
  return {
    name: config.name,
    endpoints: standing.endpoints.map((endpoint) => endpointSnapshotOf(standing, endpoint)),
    inFlight: sum('inFlight'),
    queued: sum('queued'),
    limit: sum('limit'),
    slowdown: parts.find(({ slowdown }) => slowdown !== undefined)?.slowdown,
    held: sum('held'),
    connections: endpoints.reduce((total, { wire }) => total + wire.open(), 0),
    impatient: parts.flatMap(({ impatient = [] }) => impatient),
    retryBudget: sum('retryBudget'),
    rate: parts.find(({ rate }) => rate !== undefined)?.rate,
    pauses: parts.flatMap(({ pauses = [] }) => pauses),
    breakers: parts.flatMap(({ breakers = [] }) => breakers),
  }
}

function endpointSnapshotOf(standing: FullStanding, endpoint: FullStanding['endpoints'][number]): EndpointSnapshot {
  const none: EndpointSnapshot = { origin: endpoint.origin, inFlight: 0, isAvailable: true }
  return Object.assign(none, ...POLICIES.map((policy) => policy.endpointSnapshot?.(standing, endpoint)))
}
