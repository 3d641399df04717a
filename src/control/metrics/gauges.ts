import type { BreakerState, Snapshot, UpstreamSnapshot } from '../../events.ts'
import { METRICS } from './metric-table.ts'
import { Gauge, type Registry } from './series.ts'

const STATE_VALUES: Readonly<Record<BreakerState, number>> = { closed: 0, 'half-open': 1, open: 2 }

/** Sets every gauge again, so that removed upstreams leave no series. */
export function createGauges(registry: Registry): (snapshot: Snapshot) => void {
  const byUpstream = {
    inFlight: new Gauge(METRICS.inFlight, registry),
    queued: new Gauge(METRICS.queued, registry),
    limit: new Gauge(METRICS.concurrencyLimit, registry),
    slowdown: new Gauge(METRICS.slowdown, registry),
    held: new Gauge(METRICS.held, registry),
    connections: new Gauge(METRICS.connections, registry),
    retryBudget: new Gauge(METRICS.retryBudget, registry),
  }
  const byLimit = {
    inUse: new Gauge(METRICS.sharedInUse, registry),
    queued: new Gauge(METRICS.sharedQueued, registry),
    max: new Gauge(METRICS.sharedMax, registry),
  }
  const breakersForced = new Gauge(METRICS.breakersForced, registry)
  const breakerState = new Gauge(METRICS.breakerState, registry)
  const endpointState = new Gauge(METRICS.endpointState, registry)
  const endpointInFlight = new Gauge(METRICS.endpointInFlight, registry)
  const available = new Gauge(METRICS.endpointsAvailable, registry)
  const endpoints = new Gauge(METRICS.endpoints, registry)
  const clientConnections = new Gauge(METRICS.clientConnections, registry)
  const bodiesKept = new Gauge(METRICS.bodiesKept, registry)
  const ofEndpoints = [endpointState, endpointInFlight, available, endpoints]
  const all = [
    ...Object.values(byUpstream),
    ...Object.values(byLimit),
    breakerState,
    breakersForced,
    ...ofEndpoints,
    clientConnections,
  ]

  const showEndpoints = ({ name: upstream, ...state }: UpstreamSnapshot) => {
    endpoints.set({ upstream }, state.endpoints.length)
    available.set({ upstream }, state.endpoints.filter(({ isAvailable }) => isAvailable).length)
    if (state.endpoints.length < 2) return
    for (const { origin: endpoint, inFlight } of state.endpoints) endpointInFlight.set({ upstream, endpoint }, inFlight)
    for (const { route = '*', endpoint = '', state: one } of state.breakers)
      endpointState.set({ upstream, route, endpoint }, STATE_VALUES[one])
  }

  return ({ upstreams, listeners, bodies, limits }) => {
    for (const one of all) one.reset()
    for (const place of ['memory', 'disk'] as const) bodiesKept.set({ place }, bodies[place])
    for (const { name: listener, connections: open } of listeners) clientConnections.set({ listener }, open)
    for (const { name: limit, ...shared } of limits)
      for (const figure of ['inUse', 'queued', 'max'] as const) byLimit[figure].set({ limit }, shared[figure])
    for (const state of upstreams) {
      const upstream = state.name
      for (const name of ['inFlight', 'queued', 'limit', 'held', 'connections', 'retryBudget'] as const)
        byUpstream[name].set({ upstream }, state[name])
      if (state.slowdown !== undefined) byUpstream.slowdown.set({ upstream }, state.slowdown)
      breakersForced.set({ upstream }, state.breakers.filter(({ mode }) => mode !== 'auto').length)
      for (const [route, value] of bestByRoute(state.breakers)) breakerState.set({ upstream, route }, value)
      showEndpoints(state)
    }
  }
}

/** State that requests meet: closed while one endpoint admits them. */
function bestByRoute(breakers: UpstreamSnapshot['breakers']): Map<string, number> {
  const best = new Map<string, number>()
  for (const { route = '*', state } of breakers) {
    best.set(route, Math.min(best.get(route) ?? Number.POSITIVE_INFINITY, STATE_VALUES[state]))
  }
  return best
}
