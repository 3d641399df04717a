/** Breakers of an upstream: its own, and those of the routes that declare one; each for every endpoint. */

import { isDeepStrictEqual } from 'node:util'
import { callEach } from '../call-each.ts'
import type { Deps } from '../../deps.ts'
import type { BreakerOrder } from '../../events.ts'
import { NO_ROUTE, type Place, type UpstreamOwner } from '../policy.ts'
import { statusesIn } from '../shared/statuses.ts'
import { type Breaker, refusalOf, setMode } from './breaker.ts'
import { freshHeld, letGo } from './forced.ts'
import { adapt, allowProbes, freshCircuit, stateOf } from './circuit.ts'
import { type BreakerSettings, longestOpenMs, type RouteBreaker, type UpstreamBreaker } from './settings.ts'

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
  prepare(
    { name, settings, origins, routes }: Owner,
    before: Breakers | undefined,
    _: Owner | undefined,
    deps: Deps,
  ): Breakers {
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
            return [key, recordFor({ upstream: name, route, endpoint }, origin, breaker, known, deps)] as const
          }),
    )
    return new Map(all)
  },

  /** Breakers that go on take their new settings. Of those that are gone, no order ends any more. */
  activate(breakers: Breakers, _: Owner, before: Breakers | undefined, deps: Deps): void {
    const { clock, emit } = deps
    for (const [key, { breaker }] of before ?? []) if (!breakers.has(key)) letGo(breaker.held, deps)
    for (const [key, { breaker, settings }] of breakers) {
      const known = before?.get(key)
      if (known === undefined || isDeepStrictEqual(known.settings, settings)) continue
      const { upstream, route, endpoint, circuit } = breaker
      if (adapt(circuit, clock.now(), breaker.settings))
        emit({ kind: 'breaker_window_restarted', upstream, route, endpoint })
      callEach([...breaker.onChange])
    }
  },
}

/** Keeps the state of a known breaker, whatever its settings. */
function recordFor(
  of: Pick<Breaker, 'upstream' | 'route' | 'endpoint'>,
  origin: string,
  settings: BreakerSettings,
  known: BreakerRecord | undefined,
  { random }: Deps,
): BreakerRecord {
  const stretch = () => 1 + OPEN_JITTER * random()
  const openForMaxMs = longestOpenMs(settings)
  const consecutiveFailures = settings.consecutiveFailures || Number.POSITIVE_INFINITY
  const rules = {
    ...settings,
    consecutiveFailures,
    openForMaxMs,
    failureStatuses: statusesIn(settings.failureStatus),
    stretch,
  }
  const { circuit, held, onChange } = known?.breaker ?? {
    circuit: freshCircuit(rules),
    held: freshHeld(),
    onChange: new Set<() => void>(),
  }
  return { origin, settings, breaker: { ...of, settings: rules, circuit, held, onChange } }
}

/** Share by which an open time is longer at random. */
const OPEN_JITTER = 0.1

/** Operations on an upstream's breakers for operators and health checks. */
export type BreakerControl = {
  /** Whether any breaker of the endpoint is open. */
  readonly isOpen: (origin: string) => boolean
  /** Lets open breakers of the endpoint admit probes, after its health check succeeded. */
  readonly allowProbes: (origin: string) => void
  /** @returns how many breakers match. */
  readonly setMode: (matches: (breaker: Breaker) => boolean, order: BreakerOrder) => number
}

export function breakerControl(breakers: Breakers, deps: Deps): BreakerControl {
  const all = [...breakers.values()]
  const at = (origin: string) => all.filter((one) => one.origin === origin).map(({ breaker }) => breaker)
  return {
    isOpen: (origin) => at(origin).some(({ circuit }) => stateOf(circuit, deps.clock.now()) === 'open'),
    allowProbes: (origin) => {
      for (const { circuit, onChange } of at(origin)) {
        allowProbes(circuit, deps.clock.now())
        callEach([...onChange])
      }
    },
    setMode: (matches, order) => {
      const chosen = all.filter(({ breaker }) => matches(breaker))
      for (const { breaker } of chosen) setMode(breaker, order, deps)
      return chosen.length
    },
  }
}
