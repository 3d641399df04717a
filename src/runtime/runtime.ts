import {
  breakerKey,
  type Carried,
  type Connect,
  leftBehind,
  NO_ROUTE,
  stateFor,
  takeOver,
  type UpstreamState,
} from './retained.ts'
import type { Config, RouteConfig } from '../config/schema.ts'
import type { TimeoutRules } from '../job/timeouts.ts'
import { type Breaker, setMode, wouldAdmit } from '../policy/breaker/breaker.ts'
import { retriesLeft } from '../policy/retry/budget.ts'
import { allowProbes, probesInFlight, stateOf } from '../policy/breaker/circuit.ts'
import type { JobWatch, SeenIds } from '../policy/failure-when/rule.ts'
import type { BreakerMode, BreakerSnapshot, Snapshot, UpstreamSnapshot } from '../events.ts'
import type { Deps } from '../deps.ts'
import { heldIn, type Polls } from '../policy/hold/hold.ts'
import { type EndpointState, type PipelineState, pipeline } from '../policy/pipeline.ts'
import { compileMatch, compileParameter, type Route, type Upstream } from '../proxy/route.ts'
import { budgetOf, pipelineSettings, type RouteSettings, timeoutsOf } from './settings.ts'

/** The configuration, made ready to serve requests: read by listeners once for each request. */
export type Runtime = {
  readonly upstreams: ReadonlyMap<string, Upstream>
  /** What a successor may take over. */
  readonly carried: Carried
  readonly snapshot: () => Pick<Snapshot, 'upstreams'>
  /** Whether any breaker of the endpoint is open. */
  readonly isOpen: (upstream: string, origin: string) => boolean
  /** Lets probes through whatever breakers of the endpoint are open: it is said to be well. */
  readonly allowProbes: (upstream: string, origin: string) => void
  /** An operator's word to breakers of an upstream. @returns how many there are that are meant. */
  readonly setMode: (upstream: string, meant: (breaker: Breaker) => boolean, mode: BreakerMode) => number
  /** Closes the connections to all upstreams. */
  readonly close: () => Promise<void>
}

type CompiledUpstream = {
  readonly upstream: Upstream
  readonly snapshot: () => UpstreamSnapshot
}

/**
 * @param before what the Runtime that this one is to succeed has; empty for the first. It stays as it is.
 * @param readText of a file that the configuration names; throws when it cannot be read.
 */
export function compile(
  config: Config,
  before: Carried,
  connect: Connect,
  readText: (path: string) => string,
  deps: Deps,
): Runtime {
  const carried = new Map(
    config.upstreams.map((upstream) => [
      upstream.name,
      stateFor(upstream, before.get(upstream.name), connect, readText, deps),
    ]),
  )
  const compiled = [...carried.values()].map((state) => compileUpstream(state, config.timeouts, deps))
  const breakersAt = (name: string, origin: string) =>
    breakersOf(carried.get(name))
      .filter((one) => one.origin === origin)
      .map(({ breaker }) => breaker)
  return {
    upstreams: new Map(compiled.map(({ upstream }) => [upstream.name, upstream])),
    carried,
    snapshot: () => ({ upstreams: compiled.map(({ snapshot }) => snapshot()) }),
    isOpen: (name, origin) =>
      breakersAt(name, origin).some(({ circuit }) => stateOf(circuit, deps.clock.now()) === 'open'),
    allowProbes: (name, origin) => {
      for (const { circuit } of breakersAt(name, origin)) allowProbes(circuit, deps.clock.now())
    },
    setMode: (name, meant, mode) => {
      const all = breakersOf(carried.get(name)).filter(({ breaker }) => meant(breaker))
      for (const { breaker } of all) setMode(breaker, mode, deps)
      return all.length
    },
    close: async () => {
      const wires = [...carried.values()].flatMap(({ endpoints }) => endpoints.map(({ wire }) => wire))
      await Promise.all(wires.map((wire) => wire.close()))
    },
  }
}

/**
 * The moment of a swap: settings apply to what the new one has taken over, and what is left behind goes as soon as
 * requests of before are done with it.
 */
export function succeed(before: Carried, after: Carried, deps: Deps): void {
  for (const [name, state] of after) takeOver(state, before.get(name), deps)
  for (const wire of leftBehind(before, after)) wire.retire()
}

function compileUpstream(state: UpstreamState, rules: TimeoutRules, deps: Deps): CompiledUpstream {
  const { config } = state
  const polls: Polls[] = []

  const compileRoute = (match: string, owner: string | undefined, route: RouteSettings): Route => {
    const record = state.routes.get(match)
    if (record === undefined) throw new Error(`${config.name} has no record of ${match}`)
    const own = pipelineState(state, owner, record)
    polls.push(own.polls)
    return {
      ref: record.ref,
      send: pipeline(pipelineSettings(config, route), own, deps),
      idempotentMethods: new Set(route.retry.methods),
      idempotent: route.idempotent,
      bodyLimits: route.retry.bodyBuffer,
      upgrades: new Set(route.upgrades.map((name) => name.toLowerCase())),
      tunnelMs: route.timeout.tunnel,
      timeouts: timeoutsOf(route.timeout, rules),
      jobs: jobsOf(match, route.failureWhen, record.counted),
    }
  }
  const [first] = config.urls
  if (first === undefined) throw new Error(`${config.name} has no url`)
  const { pathname } = new URL(first)
  const upstream: Upstream = {
    name: config.name,
    origins: state.endpoints.map(({ origin }) => new URL(origin)),
    basePath: pathname === '/' ? '' : pathname,
    routes: config.routes.map((route) => ({
      matches: compileMatch(route.match),
      route: compileRoute(route.match, route.breaker === undefined ? undefined : route.match, route),
    })),
    fallback: compileRoute(NO_ROUTE, undefined, {
      ...config,
      idempotent: false,
      failureWhen: false,
      resume: false,
      hold: false,
    }),
  }
  return { upstream, snapshot: () => snapshotOf(state, polls, deps) }
}

/** @param owner the route that has a breaker of its own; undefined for the upstream's. */
function pipelineState(
  { concurrency, adaptive, pace, budget, endpoints, breakers }: UpstreamState,
  owner: string | undefined,
  { latencies, delays }: Pick<PipelineState, 'latencies' | 'delays'>,
): PipelineState {
  const places = endpoints.map(({ origin, load, connections, wire }): EndpointState => {
    const breaker = breakers.get(breakerKey(owner, origin))?.breaker
    if (breaker === undefined) throw new Error(`no breaker for ${origin}`)
    return { origin, load, connections, transport: wire.send, breaker }
  })
  const own = { polls: new Map(), flights: new Map(), latencies, delays }
  return { concurrency, adaptive, pace, budget, endpoints: places, ...own }
}

/** Those of the upstream first, then those of its routes. */
function breakersOf(state: UpstreamState | undefined): { readonly origin: string; readonly breaker: Breaker }[] {
  return [...(state?.breakers ?? [])].map(([key, { breaker }]) => ({
    origin: key.slice(key.indexOf('\n') + 1),
    breaker,
  }))
}

/** One job watch for each route that has a rule. */
function jobsOf(match: string, rule: RouteConfig['failureWhen'], counted: SeenIds): JobWatch | undefined {
  if (rule === false) return undefined
  const idOf = rule.oncePer === undefined ? undefined : compileParameter(match, rule.oncePer)
  const { json, in: failed, completed = DONE } = rule
  return { rule: { json, failed: new Set(failed), completed: new Set(completed) }, idOf, counted }
}

/** What services call a job that is done, while the route does not say. */
const DONE = ['completed', 'complete', 'done', 'succeeded', 'success', 'finished']

function snapshotOf(state: UpstreamState, polls: readonly Polls[], deps: Deps): UpstreamSnapshot {
  const { config, concurrency, pace, budget, adaptive, endpoints, breakers } = state
  const now = deps.clock.now()
  const queued = [concurrency, ...endpoints.map(({ connections }) => connections)].map(({ waiting }) => waiting.length)
  return {
    name: config.name,
    endpoints: endpoints.map(({ origin, load }) => {
      const own = breakers.get(breakerKey(undefined, origin))?.breaker
      return { origin, inFlight: load.inFlight, isAvailable: own !== undefined && wouldAdmit(own, deps) }
    }),
    inFlight: concurrency.inUse,
    queued: queued.reduce((sum, waiting) => sum + waiting, pace?.waiting.length ?? 0),
    limit: concurrency.limit,
    slowdown: adaptive?.slowdown,
    held: polls.reduce((sum, one) => sum + heldIn(one), 0),
    connections: endpoints.reduce((sum, { wire }) => sum + wire.open(), 0),
    retryBudget: retriesLeft(budget, now, budgetOf(config.retry)),
    breakers: breakersOf(state).map(({ breaker }) => breakerSnapshot(breaker, now)),
  }
}

function breakerSnapshot({ circuit, route, endpoint }: Breaker, now: number): BreakerSnapshot {
  const state = stateOf(circuit, now)
  return {
    route,
    endpoint,
    mode: circuit.mode,
    state,
    consecutiveFailures: circuit.consecutiveFailures,
    openForMs: state === 'open' ? Math.max(0, circuit.halfOpenAt - now) : 0,
    probesInFlight: probesInFlight(circuit, now),
  }
}
