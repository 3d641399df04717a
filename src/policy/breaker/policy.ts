import { writtenMs } from '../../config/kinds/units.ts'
import type { BreakerSnapshot } from '../../events.ts'
import type { EndpointPlace, Place, Standing } from '../policy.ts'
import type { CallBounds, ExplainScope } from '../scope.ts'
import { type Breaker, breaking, wouldAdmit } from './breaker.ts'
import { breakerAt, type BreakerState, breakersState, ownBreaker } from './breakers.ts'
import { probesInFlight, stateOf } from './circuit.ts'
import { explainBreaker } from './explain.ts'
import { BREAKER, type RouteBreaker, type UpstreamBreaker } from './settings.ts'
import { BREAKER_WARNINGS } from './warnings.ts'

type State = BreakerState['state']

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
    const { openForMaxMs } = route.breaker ?? upstream.breaker
    return { best: `; while the breaker is open, 503 at once, with Retry-After up to ${writtenMs(openForMaxMs)}` }
  },
  conflicts: ({ breaker }: RouteBreaker) =>
    breaker !== undefined && breaker.openForMs > breaker.openForMaxMs
      ? [{ path: ['breaker', 'openFor'], message: 'is longer than breaker.openForMax' }]
      : [],
  warnings: { route: BREAKER_WARNINGS },
} as const

function snapshotOf({ circuit, route, endpoint }: Breaker, now: number): BreakerSnapshot {
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
