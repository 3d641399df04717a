import { writtenMs } from '../../config/kinds/units.ts'
import type { BreakerSnapshot } from '../../events.ts'
import type { ConcurrencySettings } from '../concurrency/settings.ts'
import { type EndpointPlace, NO_SETTINGS, type Place, type Standing } from '../policy.ts'
import type { CallBounds, ExplainScope } from '../scope.ts'
import { type Breaker, breaking, wouldAdmit } from './breaker.ts'
import { breakerAt, breakersAt, type BreakerState, breakersState, ownBreaker } from './breakers.ts'
import { probesInFlight, stateOf } from './circuit.ts'
import { explainBreaker } from './explain.ts'
import { freshGate, type Gate, patient } from './patience.ts'
import { BREAKER, longestOpenMs, type RouteBreaker, type UpstreamBreaker } from './settings.ts'
import { BREAKER_WARNINGS } from './warnings.ts'

type State = BreakerState['state']

type PatientPlace = Place<RouteBreaker, UpstreamBreaker & ConcurrencySettings, State & GatesState>
type GatesState = { readonly gates: Map<string, Gate> }

/** Makes calls wait for an open breaker. */
export const patiencePolicy = {
  name: 'patience',
  settings: NO_SETTINGS,
  // Calls wait for the breakers of the generation that they began in.
  state: { upstream: { gates: { prepare: (): GatesState['gates'] => new Map() } } },
  layer: (place: PatientPlace) => {
    const { patienceMs } = place.route.breaker ?? place.upstream.breaker
    if (patienceMs === 0) return undefined
    const rules = { patienceMs, queue: place.upstream.concurrency.queue }
    return patient(rules, breakersAt(place), gateOf(place), place.deps)
  },
  snapshot: ({ state: { gates } }: Standing<unknown, GatesState>) => ({
    queued: [...gates.values()].reduce((sum, { waiting }) => sum + waiting.length, 0),
  }),
  explain: ({ route, upstream, part }: ExplainScope<RouteBreaker, UpstreamBreaker>) => {
    const { patienceMs } = route.breaker ?? upstream.breaker
    const says =
      patienceMs === 0
        ? 'an open breaker rejects at once'
        : `waits up to ${writtenMs(patienceMs)} for an open breaker that becomes half open by then; is rejected at once otherwise`
    return [part('breaker.patience', says)]
  },
}

/** Routes that share the upstream's breakers wait in one line. */
function gateOf({ match, route, state: { gates } }: PatientPlace): Gate {
  const owner = route.breaker === undefined ? '' : match
  const gate = gates.get(owner) ?? freshGate()
  gates.set(owner, gate)
  return gate
}

export const breakerPolicy = {
  name: 'breaker',
  settings: BREAKER,
  separate: ['breaker'],
  state: { upstream: { breakers: breakersState } },
  endpointLayer: (place: Place<RouteBreaker, unknown, State>, { origin }: EndpointPlace) =>
    breaking(breakerAt(place, origin), place.deps),
  snapshot: ({ state, deps }: Standing<unknown, State>) => ({
    breakers: [...state.breakers.values()].map(({ breaker }) => snapshotOf(breaker, deps.clock.now())),
  }),
  endpointSnapshot: ({ state, deps }: Standing<unknown, State>, { origin }: { readonly origin: string }) => {
    const own = ownBreaker(state.breakers, origin)
    return { isAvailable: own !== undefined && wouldAdmit(own, deps) }
  },
  explain: explainBreaker,
  bounds: ({ route, upstream }: ExplainScope<RouteBreaker, UpstreamBreaker>): CallBounds => {
    const breaker = route.breaker ?? upstream.breaker
    const { patienceMs } = breaker
    const wait = patienceMs === 0 ? 'at once' : `at once or after ${writtenMs(patienceMs)}`
    return {
      best: `; while the breaker is open, 503 ${wait}, with Retry-After up to ${writtenMs(longestOpenMs(breaker))}`,
    }
  },
  warnings: { route: BREAKER_WARNINGS },
} as const

function snapshotOf({ circuit, held, route, endpoint }: Breaker, now: number): BreakerSnapshot {
  const state = stateOf(circuit, now)
  return {
    route,
    endpoint,
    mode: circuit.mode,
    forced: held.order,
    state,
    consecutiveFailures: circuit.consecutiveFailures,
    openForMs: state === 'open' ? Math.max(0, circuit.halfOpenAt - now) : 0,
    probesInFlight: probesInFlight(circuit, now),
  }
}
