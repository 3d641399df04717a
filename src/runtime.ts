import type { Breaker as BreakerConfig, Config, RouteConfig, UpstreamConfig } from './config/schema.ts'
import type { TimeoutRules } from './job/timeouts.ts'
import { freshAdaptive } from './policy/adaptive.ts'
import { type Breaker, wouldAdmit } from './policy/breaker.ts'
import { freshBudget, retriesLeft } from './policy/budget.ts'
import { allowProbes, freshCircuit, probesInFlight, stateOf } from './policy/circuit.ts'
import { type JobWatch, SeenIds } from './policy/classify.ts'
import type { BreakerSnapshot, RouteRef, Snapshot, UpstreamSnapshot } from './policy/events.ts'
import type { Deps } from './policy/exchange.ts'
import { heldIn, type Polls } from './policy/hold.ts'
import { freshLatencies } from './policy/latencies.ts'
import { freshSlots } from './policy/limit.ts'
import { type EndpointState, type PipelineState, pipeline } from './policy/pipeline.ts'
import { freshPace } from './policy/rate.ts'
import { compileMatch, compileParameter, type Route, type Upstream } from './proxy/route.ts'
import type { TransportSettings, UpstreamConnections } from './proxy/transport.ts'
import { breakerSettings, budgetOf, pipelineSettings, type RouteSettings, rateOf, timeoutsOf } from './settings.ts'

/** The configuration, made ready to serve requests: read by listeners once for each request. */
export type Runtime = {
  readonly upstreams: ReadonlyMap<string, Upstream>
  readonly snapshot: () => Pick<Snapshot, 'upstreams'>
  /** Whether any breaker of the endpoint is open. */
  readonly isOpen: (upstream: string, origin: string) => boolean
  /** Lets probes through whatever breakers of the endpoint are open: it is said to be well. */
  readonly allowProbes: (upstream: string, origin: string) => void
  /** Closes the connections to all upstreams. */
  readonly close: () => Promise<void>
}

/** Opens no connection yet. */
export type Connect = (settings: TransportSettings) => UpstreamConnections

/** An endpoint with its connections; `breaker` is the upstream's own. */
type Place = EndpointState & { readonly wire: UpstreamConnections }

type CompiledUpstream = {
  readonly upstream: Upstream
  readonly snapshot: () => UpstreamSnapshot
  /** Of an endpoint, its routes' own included. */
  readonly breakersAt: (origin: string) => readonly Breaker[]
  readonly close: () => Promise<void>
}

/** @param readText of a file that the configuration names; throws when it cannot be read. */
export function compile(config: Config, connect: Connect, readText: (path: string) => string, deps: Deps): Runtime {
  const compiled = config.upstreams.map((upstream) =>
    compileUpstream(upstream, config.timeouts, connect, readText, deps),
  )
  const breakersAt = (name: string, origin: string) =>
    compiled.find(({ upstream }) => upstream.name === name)?.breakersAt(origin) ?? []
  return {
    upstreams: new Map(compiled.map(({ upstream }) => [upstream.name, upstream])),
    snapshot: () => ({ upstreams: compiled.map(({ snapshot }) => snapshot()) }),
    isOpen: (name, origin) =>
      breakersAt(name, origin).some(({ circuit }) => stateOf(circuit, deps.clock.now()) === 'open'),
    allowProbes: (name, origin) => {
      for (const { circuit } of breakersAt(name, origin)) allowProbes(circuit, deps.clock.now())
    },
    close: async () => {
      await Promise.all(compiled.map(({ close }) => close()))
    },
  }
}

function compileUpstream(
  config: UpstreamConfig,
  rules: TimeoutRules,
  connect: Connect,
  readText: (path: string) => string,
  deps: Deps,
): CompiledUpstream {
  const places = placesOf(config, connect, readText)
  const shared = sharedState(config, places, deps)
  const routed = config.routes.map((route) => ({ route, state: stateFor(route.match, route.breaker) }))

  function stateFor(match: string, breaker: BreakerConfig | undefined): PipelineState {
    const own = { ...shared, polls: new Map(), flights: new Map(), latencies: freshLatencies() }
    if (breaker === undefined) return own
    const endpoints = places.map((place) => ({ ...place, breaker: freshBreaker(config, match, place.origin, breaker) }))
    return { ...own, endpoints }
  }

  const compileRoute = (ref: RouteRef, route: RouteSettings, state: PipelineState): Route => ({
    ref,
    send: pipeline(pipelineSettings(config, route), state, deps),
    idempotentMethods: new Set(route.retry.methods),
    idempotent: route.idempotent,
    bodyLimits: route.retry.bodyBuffer,
    timeouts: timeoutsOf(route.timeout, rules),
    jobs: jobsOf(ref.route, route.failureWhen),
  })
  const [{ pathname }] = urlsOf(config)
  const upstream: Upstream = {
    name: config.name,
    origins: places.map(({ origin }) => new URL(origin)),
    basePath: pathname === '/' ? '' : pathname,
    routes: routed.map(({ route, state }) => ({
      matches: compileMatch(route.match),
      route: compileRoute({ upstream: config.name, route: route.match }, route, state),
    })),
    fallback: compileRoute(
      { upstream: config.name, route: '*' },
      { ...config, idempotent: false, failureWhen: false, resume: false, hold: false },
      shared,
    ),
  }
  const owners = [shared, ...routed.filter(({ route }) => route.breaker !== undefined).map(({ state }) => state)]
  const polls = routed.map(({ state }) => state.polls)
  return {
    upstream,
    breakersAt: (origin) =>
      owners.flatMap(({ endpoints }) => endpoints.filter((one) => one.origin === origin).map(({ breaker }) => breaker)),
    snapshot: () => snapshotOf(config, shared, owners, places, polls, deps),
    close: async () => {
      await Promise.all(places.map(({ wire }) => wire.close()))
    },
  }
}

/** One at least: the configuration says so. */
function urlsOf({ name, urls: [first, ...others] }: UpstreamConfig): [URL, ...URL[]] {
  if (first === undefined) throw new Error(`${name} has no url`)
  return [new URL(first), ...others.map((url) => new URL(url))]
}

function placesOf(config: UpstreamConfig, connect: Connect, readText: (path: string) => string): readonly Place[] {
  const { connections, tls, breaker } = config
  return urlsOf(config).map(({ origin }) => {
    const wire = connect({
      origin: new URL(origin),
      idleMs: connections.idle,
      resolveMs: connections.resolve,
      ca: tls.ca === '' ? '' : readText(tls.ca),
      servername: tls.servername,
    })
    return {
      origin,
      wire,
      transport: wire.send,
      connections: freshSlots(connections.max),
      load: { inFlight: 0 },
      breaker: freshBreaker(config, undefined, origin, breaker),
    }
  })
}

function sharedState(config: UpstreamConfig, endpoints: readonly Place[], { clock }: Deps): PipelineState {
  const rate = rateOf(config.rate)
  const { max, adaptive } = config.concurrency
  const concurrency = freshSlots(max)
  return {
    pace: rate && freshPace(rate),
    concurrency,
    adaptive: adaptive ? freshAdaptive(concurrency, max, clock.now()) : undefined,
    budget: freshBudget(),
    endpoints,
    polls: new Map(),
    flights: new Map(),
    latencies: freshLatencies(),
  }
}

/** One job watch for each route that has a rule. */
function jobsOf(match: string, rule: RouteConfig['failureWhen']): JobWatch | undefined {
  if (rule === false) return undefined
  const idOf = rule.oncePer === undefined ? undefined : compileParameter(match, rule.oncePer)
  const { json, in: failed, completed = DONE } = rule
  return { rule: { json, failed: new Set(failed), completed: new Set(completed) }, idOf, counted: new SeenIds() }
}

/** What services call a job that is done, while the route does not say. */
const DONE = ['completed', 'complete', 'done', 'succeeded', 'success', 'finished']

function freshBreaker(
  { name, urls }: UpstreamConfig,
  route: string | undefined,
  origin: string,
  config: BreakerConfig,
): Breaker {
  const settings = breakerSettings(config)
  const endpoint = urls.length > 1 ? origin : undefined
  return { settings, circuit: freshCircuit(settings), upstream: name, route, endpoint, onOpen: new Set() }
}

function snapshotOf(
  config: UpstreamConfig,
  shared: PipelineState,
  owners: readonly PipelineState[],
  places: readonly Place[],
  polls: readonly Polls[],
  deps: Deps,
): UpstreamSnapshot {
  const { concurrency, pace, budget, adaptive } = shared
  const now = deps.clock.now()
  const queued = [concurrency, ...places.map(({ connections }) => connections)].map(({ waiting }) => waiting.length)
  return {
    name: config.name,
    endpoints: places.map(({ origin, load, breaker }) => ({
      origin,
      inFlight: load.inFlight,
      isAvailable: wouldAdmit(breaker, deps),
    })),
    inFlight: concurrency.inUse,
    queued: queued.reduce((sum, waiting) => sum + waiting, pace?.waiting.length ?? 0),
    limit: concurrency.limit,
    slowdown: adaptive?.slowdown,
    held: polls.reduce((sum, one) => sum + heldIn(one), 0),
    connections: places.reduce((sum, { wire }) => sum + wire.open(), 0),
    retryBudget: retriesLeft(budget, now, budgetOf(config.retry)),
    breakers: owners.flatMap(({ endpoints }) => endpoints.map(({ breaker }) => breakerSnapshot(breaker, now))),
  }
}

function breakerSnapshot({ circuit, route, endpoint }: Breaker, now: number): BreakerSnapshot {
  const state = stateOf(circuit, now)
  return {
    route,
    endpoint,
    state,
    consecutiveFailures: circuit.consecutiveFailures,
    openForMs: state === 'open' ? circuit.halfOpenAt - now : 0,
    probesInFlight: probesInFlight(circuit, now),
  }
}
