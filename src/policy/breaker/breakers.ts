/** Breakers of an upstream: its own, and those of the routes that declare one; each for every endpoint. */

import { isDeepStrictEqual } from 'node:util'
import type { Deps } from '../../deps.ts'
import type { BreakerMode } from '../../events.ts'
import { NO_ROUTE, type Place, type UpstreamOwner } from '../policy.ts'
import { statusesIn } from '../shared/statuses.ts'
import { type Breaker, refusalOf, setMode } from './breaker.ts'
import { allowProbes, freshCircuit, stateOf } from './circuit.ts'
import type { BreakerSettings, RouteBreaker, UpstreamBreaker } from './settings.ts'

type BreakerRecord = { readonly origin: string; readonly settings: BreakerSettings; readonly breaker: Breaker }

/** By route and origin. The upstream's own come first. */
export type Breakers = ReadonlyMap<string, BreakerRecord>

/** State and settings that a policy needs in order to ask the breakers. */
export type BreakerState = { readonly route: RouteBreaker; readonly state: { readonly breakers: Breakers } }

type BreakerPlace = Place<BreakerState['route'], unknown, BreakerState['state']>
type Owner = UpstreamOwner<UpstreamBreaker, RouteBreaker>

const keyOf = (route: string | undefined, origin: string) => `${route ?? ''}\n${origin}`

/** The breaker that counts a route's attempts at an endpoint. */
export function breakerAt({ match, route, state }: BreakerPlace, origin: string): Breaker {
  const owner = route.breaker === undefined ? undefined : match
  const record = state.breakers.get(keyOf(owner, origin))
  if (record === undefined) throw new Error(`no breaker for ${origin}`)
  return record.breaker
}

export const breakersAt = (place: BreakerPlace): Breaker[] =>
  place.endpoints.map(({ origin }) => breakerAt(place, origin))

/** Asks all breakers of a route: see refusalOf. */
export function refusalAt(place: BreakerPlace) {
  const breakers = breakersAt(place)
  return () => refusalOf(breakers, place.deps)
}

/** The upstream's own breaker for an endpoint. */
export const ownBreaker = (breakers: Breakers, origin: string): Breaker | undefined =>
  breakers.get(keyOf(undefined, origin))?.breaker

export const breakersState = {
  prepare({ name, settings, origins, routes }: Owner, before: Breakers | undefined): Breakers {
    const owners = [
      { route: undefined, breaker: settings.breaker },
      ...routes
        .filter(({ match }) => match !== NO_ROUTE)
        .map((route) => ({ route: route.match, breaker: route.settings.breaker })),
    ]
    const all = owners.flatMap(({ route, breaker }) =>
      breaker === undefined
        ? []
        : origins.map((origin) => {
            const key = keyOf(route, origin)
            const endpoint = origins.length > 1 ? origin : undefined
            const known = before?.get(key)
            return [key, recordFor({ upstream: name, route, endpoint }, origin, breaker, known)] as const
          }),
    )
    return new Map(all)
  },
}

/** Keeps the state while the breaker's settings are the same, and an operator's mode in any case. */
function recordFor(
  of: Pick<Breaker, 'upstream' | 'route' | 'endpoint'>,
  origin: string,
  settings: BreakerSettings,
  known: BreakerRecord | undefined,
): BreakerRecord {
  if (known !== undefined && isDeepStrictEqual(known.settings, settings))
    return { origin, settings, breaker: { ...known.breaker, endpoint: of.endpoint } }
  const rules = { ...settings, failureStatuses: statusesIn(settings.failureStatus) }
  const circuit = freshCircuit(rules)
  circuit.mode = known?.breaker.circuit.mode ?? circuit.mode
  return { origin, settings, breaker: { ...of, settings: rules, circuit, onOpen: new Set() } }
}

/** Operations on an upstream's breakers for operators and health checks. */
export type BreakerControl = {
  /** Whether any breaker of the endpoint is open. */
  readonly isOpen: (origin: string) => boolean
  /** Lets open breakers of the endpoint admit probes, after its health check succeeded. */
  readonly allowProbes: (origin: string) => void
  /** @returns how many breakers match. */
  readonly setMode: (matches: (breaker: Breaker) => boolean, mode: BreakerMode) => number
}

export function breakerControl(breakers: Breakers, deps: Deps): BreakerControl {
  const all = [...breakers.values()]
  const at = (origin: string) => all.filter((one) => one.origin === origin).map(({ breaker }) => breaker)
  return {
    isOpen: (origin) => at(origin).some(({ circuit }) => stateOf(circuit, deps.clock.now()) === 'open'),
    allowProbes: (origin) => {
      for (const { circuit } of at(origin)) allowProbes(circuit, deps.clock.now())
    },
    setMode: (matches, mode) => {
      const chosen = all.filter(({ breaker }) => matches(breaker))
      for (const { breaker } of chosen) setMode(breaker, mode, deps)
      return chosen.length
    },
  }
}
