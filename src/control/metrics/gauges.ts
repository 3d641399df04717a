import { Gauge, type OpenMetricsContentType, type PrometheusContentType, type Registry } from 'prom-client'
import type { BreakerState, Snapshot, UpstreamSnapshot } from '../../events.ts'
import { METRICS } from './metric-table.ts'

export type AnyRegistry = Registry<PrometheusContentType | OpenMetricsContentType>

const STATE_VALUES: Readonly<Record<BreakerState, number>> = { closed: 0, 'half-open': 1, open: 2 }

/** Sets every gauge again, so that removed upstreams leave no series. */
export function createGauges(registry: AnyRegistry): (snapshot: Snapshot) => void {
  const registers = [registry]
  const byUpstream = {
    inFlight: new Gauge({ ...METRICS.inFlight, registers }),
    queued: new Gauge({ ...METRICS.queued, registers }),
    limit: new Gauge({ ...METRICS.concurrencyLimit, registers }),
    slowdown: new Gauge({ ...METRICS.slowdown, registers }),
    held: new Gauge({ ...METRICS.held, registers }),
    connections: new Gauge({ ...METRICS.connections, registers }),
    retryBudget: new Gauge({ ...METRICS.retryBudget, registers }),
  }
  const byLimit = {
    inUse: new Gauge({ ...METRICS.sharedInUse, registers }),
    queued: new Gauge({ ...METRICS.sharedQueued, registers }),
    max: new Gauge({ ...METRICS.sharedMax, registers }),
  }
  const breakersForced = new Gauge({ ...METRICS.breakersForced, registers })
  const breakerState = new Gauge({ ...METRICS.breakerState, registers })
  const endpointState = new Gauge({ ...METRICS.endpointState, registers })
  const endpointInFlight = new Gauge({ ...METRICS.endpointInFlight, registers })
  const available = new Gauge({ ...METRICS.endpointsAvailable, registers })
  const endpoints = new Gauge({ ...METRICS.endpoints, registers })
  const clientConnections = new Gauge({ ...METRICS.clientConnections, registers })
  const bodiesKept = new Gauge({ ...METRICS.bodiesKept, registers })
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
