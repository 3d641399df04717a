import type {
  Breaker as BreakerConfig,
  Config,
  Retry,
  RouteConfig,
  Timeouts as TimeoutConfig,
  UpstreamConfig,
} from './config/schema.ts'
import { computedMs, type Inputs, type TimeoutRules } from './job/timeouts.ts'
import type { Breaker, BreakerSettings } from './policy/breaker.ts'
import { freshBudget, retriesLeft } from './policy/budget.ts'
import { allowProbes, freshCircuit, probesInFlight, stateOf } from './policy/circuit.ts'
import { type JobWatch, SeenIds } from './policy/classify.ts'
import type { BreakerSnapshot, RouteRef, Snapshot, UpstreamSnapshot } from './policy/events.ts'
import type { Deps, Timeouts } from './policy/exchange.ts'
import { freshSlots, type LimitSettings } from './policy/limit.ts'
import { type PipelineState, pipeline } from './policy/pipeline.ts'
import { freshPace } from './policy/rate.ts'
import type { RetrySettings } from './policy/retry.ts'
import { compileMatch, compileParameter, type Route, type Upstream } from './proxy/route.ts'
import { connectTo } from './proxy/transport.ts'

/** The configuration, made ready to serve requests: read by listeners once for each request. */
export type Runtime = {
  readonly upstreams: ReadonlyMap<string, Upstream>
  readonly snapshot: () => Pick<Snapshot, 'upstreams'>
  /** Whether any breaker of the upstream is open. */
  readonly isOpen: (upstream: string) => boolean
  /** Lets probes through whatever breakers of the upstream are open: it is said to be well. */
  readonly allowProbes: (upstream: string) => void
  /** Closes the connections to all upstreams. */
  readonly close: () => Promise<void>
}

type CompiledUpstream = {
  readonly upstream: Upstream
  readonly snapshot: () => UpstreamSnapshot
  readonly allowProbes: () => void
  readonly close: () => Promise<void>
}

/** @param readText of a file that the configuration names; throws when it cannot be read. */
export function compile(config: Config, readText: (path: string) => string, deps: Deps): Runtime {
  const compiled = config.upstreams.map((upstream) => compileUpstream(upstream, config.timeouts, readText, deps))
  return {
    upstreams: new Map(compiled.map(({ upstream }) => [upstream.name, upstream])),
    snapshot: () => ({ upstreams: compiled.map(({ snapshot }) => snapshot()) }),
    isOpen: (name) => {
      const upstream = compiled.find((one) => one.upstream.name === name)
      return upstream?.snapshot().breakers.some(({ state }) => state === 'open') ?? false
    },
    allowProbes: (name) => {
      for (const { upstream, allowProbes } of compiled) if (upstream.name === name) allowProbes()
    },
    close: async () => {
      await Promise.all(compiled.map(({ close }) => close()))
    },
  }
}

function compileUpstream(
  config: UpstreamConfig,
  rules: TimeoutRules,
  readText: (path: string) => string,
  deps: Deps,
): CompiledUpstream {
  const url = new URL(config.url)
  const connections = connectTo(
    {
      origin: new URL(url.origin),
      idleMs: config.connections.idle,
      ca: config.tls.ca === '' ? '' : readText(config.tls.ca),
      servername: config.tls.servername,
    },
    deps,
  )
  const rate = rateOf(config.rate)
  const shared: PipelineState = {
    pace: rate && freshPace(rate),
    concurrency: freshSlots(),
    connections: freshSlots(),
    budget: freshBudget(),
    breaker: freshBreaker(config.name, undefined, config.breaker),
  }
  const states = config.routes.map(({ match, breaker }) =>
    breaker === undefined ? shared : { ...shared, breaker: freshBreaker(config.name, match, breaker) },
  )
  const compileRoute = (ref: RouteRef, route: RouteSettings, state: PipelineState): Route => ({
    ref,
    send: pipeline(pipelineSettings(config, route), state, connections.send, deps),
    idempotentMethods: new Set(route.retry.methods),
    idempotent: route.idempotent,
    bodyLimits: route.retry.bodyBuffer,
    timeouts: timeoutsOf(route.timeout, rules),
    jobs: jobsOf(ref.route, route.failureWhen),
  })
  const upstream: Upstream = {
    name: config.name,
    origin: new URL(url.origin),
    basePath: url.pathname === '/' ? '' : url.pathname,
    routes: config.routes.map((route, i) => ({
      matches: compileMatch(route.match),
      route: compileRoute({ upstream: config.name, route: route.match }, route, states[i] ?? shared),
    })),
    fallback: compileRoute(
      { upstream: config.name, route: '*' },
      { ...config, idempotent: false, failureWhen: false, resume: false, hold: false },
      shared,
    ),
  }
  const breakers = new Set([shared.breaker, ...states.map(({ breaker }) => breaker)])
  const budgetSettings = budgetOf(config.retry)
  return {
    upstream,
    close: connections.close,
    allowProbes: () => {
      for (const { circuit } of breakers) allowProbes(circuit, deps.clock.now())
    },
    snapshot: () => ({
      name: config.name,
      origin: url.origin,
      inFlight: shared.concurrency.inUse,
      queued:
        shared.concurrency.waiting.length + shared.connections.waiting.length + (shared.pace?.waiting.length ?? 0),
      connections: connections.open(),
      retryBudget: retriesLeft(shared.budget, deps.clock.now(), budgetSettings),
      breakers: [...breakers].map((breaker) => breakerSnapshot(breaker, deps.clock.now())),
    }),
  }
}

type RouteSettings = Pick<RouteConfig, 'idempotent' | 'timeout' | 'retry' | 'failureWhen' | 'resume' | 'hold'>

/** One job watch for each route that has a rule. */
function jobsOf(match: string, rule: RouteConfig['failureWhen']): JobWatch | undefined {
  if (rule === false) return undefined
  const idOf = rule.oncePer === undefined ? undefined : compileParameter(match, rule.oncePer)
  const { json, in: failed, completed = DONE } = rule
  return { rule: { json, failed: new Set(failed), completed: new Set(completed) }, idOf, counted: new SeenIds() }
}

/** What services call a job that is done, while the route does not say. */
const DONE = ['completed', 'complete', 'done', 'succeeded', 'success', 'finished']

const pipelineSettings = (upstream: UpstreamConfig, { retry, resume, hold }: RouteSettings) => ({
  resume,
  hold:
    hold === false ? undefined : { json: hold.json, pending: new Set(hold.in), upToMs: hold.upTo, everyMs: hold.every },
  concurrency: {
    max: upstream.concurrency.max,
    queue: upstream.concurrency.queue,
    queueTimeoutMs: upstream.concurrency.queueTimeout,
  },
  retry: retrySettings(retry, upstream.retry),
  connections: connectionLimit(upstream),
  rate: rateOf(upstream.rate),
})

/** Without a limit of its own, a wait for the rate is bounded by the exchange's deadline alone. */
const rateOf = (rate: UpstreamConfig['rate']) =>
  rate === false
    ? undefined
    : { requests: rate.requests, perMs: rate.per, queueTimeoutMs: rate.queueTimeout ?? Number.POSITIVE_INFINITY }

/** An attempt waits for a connection as long as an exchange does for its slot; the concurrency limit bounds how many. */
const connectionLimit = ({ connections, concurrency }: UpstreamConfig): LimitSettings => ({
  max: connections.max,
  queue: concurrency.max,
  queueTimeoutMs: concurrency.queueTimeout,
})

const retrySettings = (retry: Retry, upstreamRetry: Retry): RetrySettings => ({
  attempts: retry.attempts,
  conditions: new Set(retry.on.filter((on) => on === 'connect-failure' || on === 'reset' || on === 'timeout')),
  statuses: statusSet(retry.on),
  backoff: {
    initialMs: retry.backoff.initial,
    factor: retry.backoff.factor,
    maxMs: retry.backoff.max,
    jitter: retry.backoff.jitter,
  },
  respectRetryAfter: retry.respectRetryAfter,
  budget: budgetOf(upstreamRetry),
})

const budgetOf = ({ budget }: Retry) => ({
  ratio: budget.ratio,
  minPerSecond: budget.minPerSecond,
  windowMs: budget.window,
})

function freshBreaker(upstream: string, route: string | undefined, config: BreakerConfig): Breaker {
  const { failureRate, slowCalls } = config
  const settings: BreakerSettings = {
    consecutiveFailures: config.consecutiveFailures,
    failureRate: failureRate && { ...failureRate, windowMs: failureRate.window },
    slowCalls: slowCalls && { ...slowCalls, windowMs: slowCalls.window, slowerThanMs: slowCalls.slowerThan },
    openForMs: config.openFor,
    openForMaxMs: config.openForMax,
    halfOpenProbes: config.halfOpenProbes,
    closeAfter: config.closeAfter,
    failureStatuses: statusSet(config.failureStatus),
  }
  return { settings, circuit: freshCircuit(settings), upstream, route, onOpen: new Set() }
}

function breakerSnapshot({ circuit, route }: Breaker, now: number): BreakerSnapshot {
  const state = stateOf(circuit, now)
  return {
    route,
    state,
    consecutiveFailures: circuit.consecutiveFailures,
    openForMs: state === 'open' ? circuit.halfOpenAt - now : 0,
    probesInFlight: probesInFlight(circuit, now),
  }
}

/** Fixed ones are made once; computed ones for each request, from its job's inputs. */
function timeoutsOf({ connect, attempt, total, idle }: TimeoutConfig, rules: TimeoutRules): Route['timeouts'] {
  const all = (inputs: Inputs): Timeouts => ({
    connectMs: lengthOf(connect, rules, inputs),
    attemptMs: lengthOf(attempt, rules, inputs),
    totalMs: lengthOf(total, rules, inputs),
    idleMs: lengthOf(idle, rules, inputs),
  })
  const isFixed = [connect, attempt, total, idle].every((length) => typeof length === 'number')
  return isFixed ? all({}) : all
}

const lengthOf = (length: TimeoutConfig['total'], rules: TimeoutRules, inputs: Inputs) =>
  typeof length === 'number' ? length : computedMs(length.computed, length.divideBy, rules, inputs)

/** Statuses named one by one or by class: `503`, `5xx`. */
function statusSet(named: readonly (string | number)[]): ReadonlySet<number> {
  const classes = named.filter((name) => typeof name === 'string' && /^[1-5]xx$/.test(name)).map(String)
  const ofClasses = classes.flatMap((name) => Array.from({ length: 100 }, (_, i) => Number(name[0]) * 100 + i))
  return new Set([...ofClasses, ...named.filter((name) => typeof name === 'number')])
}
