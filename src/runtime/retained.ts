/**
 * What outlives a configuration, by upstream: plain records, handed from one Runtime to the next. A record is taken over
 * where it still means the same; nothing of it is changed before its successor is in force.
 */

import { isDeepStrictEqual } from 'node:util'
import type { Breaker as BreakerConfig, UpstreamConfig } from '../config/schema.ts'
import { type Adaptive, begin, bound, end, freshAdaptive } from '../policy/limit/adaptive.ts'
import type { Delays } from '../policy/balance/balance.ts'
import type { Breaker } from '../policy/breaker/breaker.ts'
import { type Budget, freshBudget, moved } from '../policy/retry/budget.ts'
import { freshCircuit } from '../policy/breaker/circuit.ts'
import { SeenIds } from '../policy/failure-when/rule.ts'
import type { RouteRef } from '../events.ts'
import type { Deps } from '../deps.ts'
import { freshLatencies, type Latencies } from '../policy/observe/latencies.ts'
import { freshSlots, letIn, type Slots } from '../policy/limit/limit.ts'
import { freshPace, type Pace, repace } from '../policy/rate/rate.ts'
import type { TransportSettings, UpstreamConnections } from '../proxy/upstream/transport.ts'
import { breakerSettings, budgetOf, rateOf } from './settings.ts'

/** Opens no connection yet. */
export type Connect = (settings: TransportSettings) => UpstreamConnections

/** By the upstream's name. */
export type Carried = ReadonlyMap<string, UpstreamState>

export type UpstreamState = {
  readonly config: UpstreamConfig
  readonly concurrency: Slots
  readonly adaptive: Adaptive | undefined
  readonly pace: Pace | undefined
  readonly budget: Budget
  readonly endpoints: readonly EndpointRecord[]
  /** By route and origin. */
  readonly breakers: ReadonlyMap<string, BreakerRecord>
  /** By the route's match. */
  readonly routes: ReadonlyMap<string, RouteRecord>
}

type EndpointRecord = {
  readonly origin: string
  readonly settings: TransportSettings
  readonly wire: UpstreamConnections
  readonly connections: Slots
  readonly load: { inFlight: number }
}

type BreakerRecord = { readonly config: BreakerConfig; readonly breaker: Breaker }

type RouteRecord = {
  /** The same object as before, so that what is counted for the route goes on. */
  readonly ref: RouteRef
  readonly latencies: Latencies
  readonly delays: Delays
  readonly failureWhen: unknown
  readonly counted: SeenIds
}

/** For requests that match no route. */
export const NO_ROUTE = '*'

export const breakerKey = (route: string | undefined, origin: string) => `${route ?? ''}\n${origin}`

/** @param readText of a file that the configuration names; throws when it cannot be read. */
export function stateFor(
  config: UpstreamConfig,
  before: UpstreamState | undefined,
  connect: Connect,
  readText: (path: string) => string,
  { clock }: Deps,
): UpstreamState {
  const now = clock.now()
  const concurrency = before?.concurrency ?? freshSlots(config.concurrency.max)
  const rate = rateOf(config.rate)
  const { max, adaptive: isAdaptive } = config.concurrency
  const adaptive = isAdaptive ? (before?.adaptive ?? freshAdaptive(concurrency, max, now)) : undefined
  if (before === undefined && adaptive !== undefined) begin(adaptive)
  return {
    config,
    concurrency,
    adaptive,
    pace: rate && (before?.pace ?? freshPace(rate)),
    budget: budgetFor(config, before, now),
    endpoints: endpointsFor(config, before, connect, readText),
    breakers: breakersFor(config, before),
    routes: routesFor(config, before),
  }
}

/** Applies the settings to what was taken over. To be called at the moment from which they are in force. */
export function takeOver(state: UpstreamState, before: UpstreamState | undefined, deps: Deps): void {
  const { config, concurrency, adaptive, pace, endpoints } = state
  const { max } = config.concurrency
  if (before?.adaptive !== undefined && adaptive === undefined) end(before.adaptive)
  if (adaptive === undefined) concurrency.limit = max
  else if (adaptive === before?.adaptive) keepAdaptive(adaptive, state)
  else begin(adaptive)
  letIn(concurrency)
  const rate = rateOf(config.rate)
  const isOther = rate?.requests !== pace?.rate.requests || rate?.perMs !== pace?.rate.perMs
  if (pace !== undefined && rate !== undefined && isOther) repace(pace, rate, deps)
  for (const { connections } of endpoints) {
    connections.limit = config.connections.max
    letIn(connections)
  }
}

function keepAdaptive(adaptive: Adaptive, { config, routes }: UpstreamState): void {
  bound(adaptive, config.concurrency.max)
  const known = new Set([...routes.values()].map(({ ref }) => ref))
  for (const ref of adaptive.routes.keys()) if (!known.has(ref)) adaptive.routes.delete(ref)
}

/** Connections that no successor has taken over. */
export function leftBehind(before: Carried, after: Carried): UpstreamConnections[] {
  const kept = new Set([...after.values()].flatMap(({ endpoints }) => endpoints.map(({ wire }) => wire)))
  return [...before.values()].flatMap(({ endpoints }) =>
    endpoints.filter(({ wire }) => !kept.has(wire)).map(({ wire }) => wire),
  )
}

function budgetFor({ retry }: UpstreamConfig, before: UpstreamState | undefined, now: number): Budget {
  if (before === undefined) return freshBudget()
  const [from, to] = [budgetOf(before.config.retry), budgetOf(retry)]
  return from.windowMs === to.windowMs ? before.budget : moved(before.budget, now, from, to)
}

function endpointsFor(
  config: UpstreamConfig,
  before: UpstreamState | undefined,
  connect: Connect,
  readText: (path: string) => string,
): EndpointRecord[] {
  const { connections, tls, urls } = config
  const ca = tls.ca === '' ? '' : readText(tls.ca)
  return urls.map((url) => {
    const { origin } = new URL(url)
    const settings: TransportSettings = {
      origin: new URL(origin),
      idleMs: connections.idle,
      resolveMs: connections.resolve,
      ca,
      servername: tls.servername,
    }
    const known = before?.endpoints.find((one) => one.origin === origin)
    const isSame = known !== undefined && isSameWire(known.settings, settings)
    return {
      origin,
      settings,
      wire: isSame ? known.wire : connect(settings),
      connections: known?.connections ?? freshSlots(connections.max),
      load: known?.load ?? { inFlight: 0 },
    }
  })
}

const isSameWire = (one: TransportSettings, other: TransportSettings) =>
  isDeepStrictEqual({ ...one, origin: one.origin.origin }, { ...other, origin: other.origin.origin })

/** The upstream's own, and those of its routes that declare one, each for every endpoint. */
function breakersFor(config: UpstreamConfig, before: UpstreamState | undefined): Map<string, BreakerRecord> {
  const origins = config.urls.map((url) => new URL(url).origin)
  const owners = [
    { route: undefined, breaker: config.breaker },
    ...config.routes.map(({ match, breaker }) => ({ route: match, breaker })),
  ]
  const all = owners.flatMap(({ route, breaker }) =>
    breaker === undefined
      ? []
      : origins.map(
          (origin) => [breakerKey(route, origin), breakerFor(config, route, origin, breaker, before)] as const,
        ),
  )
  return new Map(all)
}

/** Keeps its state while its own settings are the same, and an operator's word whatever they are. */
function breakerFor(
  { name, urls }: UpstreamConfig,
  route: string | undefined,
  origin: string,
  config: BreakerConfig,
  before: UpstreamState | undefined,
): BreakerRecord {
  const endpoint = urls.length > 1 ? origin : undefined
  const known = before?.breakers.get(breakerKey(route, origin))
  if (known !== undefined && isDeepStrictEqual(known.config, config))
    return { config, breaker: { ...known.breaker, endpoint } }
  const settings = breakerSettings(config)
  const circuit = freshCircuit(settings)
  circuit.mode = known?.breaker.circuit.mode ?? circuit.mode
  return { config, breaker: { settings, circuit, upstream: name, route, endpoint, onOpen: new Set() } }
}

function routesFor(config: UpstreamConfig, before: UpstreamState | undefined): Map<string, RouteRecord> {
  const origins = new Set(config.urls.map((url) => new URL(url).origin))
  const routes = [
    ...config.routes.map(({ match, failureWhen }) => ({ match, failureWhen })),
    { match: NO_ROUTE, failureWhen: false as const },
  ]
  return new Map(
    routes.map(({ match, failureWhen }) => {
      const known = before?.routes.get(match)
      const isSameRule = known !== undefined && isDeepStrictEqual(known.failureWhen, failureWhen)
      const record: RouteRecord = {
        ref: known?.ref ?? { upstream: config.name, route: match },
        latencies: known?.latencies ?? freshLatencies(),
        delays: new Map([...(known?.delays ?? [])].filter(([origin]) => origins.has(origin))),
        failureWhen,
        counted: isSameRule ? known.counted : new SeenIds(),
      }
      return [match, record]
    }),
  )
}
