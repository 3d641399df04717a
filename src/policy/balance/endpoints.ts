import { breakerAt, type BreakerState } from '../breaker/breakers.ts'
import type { Place } from '../policy.ts'
import type { Endpoint } from './balance.ts'
import type { Reach } from './reach.ts'

export type EndpointLoad = { readonly load: { inFlight: number }; readonly reach: Reach }

type BalancedPlace = Place<BreakerState['route'], unknown, BreakerState['state'], EndpointLoad>

/** The endpoints as a route sees them, with the breakers that count for it. */
export const endpointsAt = (place: BalancedPlace): Endpoint[] =>
  place.endpoints.map(({ origin, state: { load, reach } }) => ({
    origin,
    load,
    reach,
    breaker: breakerAt(place, origin),
  }))
