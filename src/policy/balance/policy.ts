import { writtenMs } from '../../config/kinds/units.ts'
import type { Deps } from '../../deps.ts'
import type { BreakerState } from '../breaker/breakers.ts'
import type { Send } from '../exchange.ts'
import type { EndpointOwner, EndpointPlace, Place, RouteOwner, Standing, UpstreamOwner } from '../policy.ts'
import type { ExplainScope } from '../scope.ts'
import { balancing, type Delays } from './balance.ts'
import { type EndpointLoad, endpointsAt } from './endpoints.ts'
import { freshReach } from './reach.ts'
import { BALANCE, type BalanceSettings } from './settings.ts'

/** Monotonic ms of the reload that added an endpoint, by origin; -Infinity when it was there at the start. */
type AddedAt = ReadonlyMap<string, number>

type State = BreakerState['state'] & { readonly delays: Delays; readonly addedAt: AddedAt }

export const balancePolicy = {
  name: 'balance',
  settings: BALANCE,
  state: {
    upstream: {
      // The upstream keeps it: a new route and a new endpoint cannot tell a new endpoint from a new upstream.
      addedAt: {
        prepare: (
          { origins }: UpstreamOwner,
          known: AddedAt | undefined,
          before: UpstreamOwner | undefined,
          { clock }: Deps,
        ): AddedAt => {
          const isNew = (origin: string) => before !== undefined && !before.origins.includes(origin)
          const always = Number.NEGATIVE_INFINITY
          return new Map(
            origins.map((origin) => [origin, isNew(origin) ? clock.now() : (known?.get(origin) ?? always)]),
          )
        },
      },
    },
    endpoint: {
      load: {
        prepare: (_: EndpointOwner, known: EndpointLoad['load'] | undefined) => known ?? { inFlight: 0 },
      },
      reach: {
        prepare: (_: EndpointOwner, known: EndpointLoad['reach'] | undefined) => known ?? freshReach(),
      },
    },
    route: {
      delays: {
        prepare: ({ origins }: RouteOwner, known: Delays | undefined): Delays =>
          new Map([...(known ?? [])].filter(([origin]) => origins.includes(origin))),
      },
    },
  },
  choose: (place: Place<BreakerState['route'], BalanceSettings, State, EndpointLoad>, sends: readonly Send[]) => {
    const endpoints = endpointsAt(place).map((endpoint, i) => ({
      endpoint,
      send: sends[i] ?? missing(endpoint.origin),
      addedAt: place.state.addedAt.get(endpoint.origin) ?? Number.NEGATIVE_INFINITY,
    }))
    return balancing(endpoints, place.state.delays, place.upstream.balance, place.deps)
  },
  endpointSnapshot: (
    _: Standing<unknown, unknown, EndpointLoad>,
    { state }: Omit<EndpointPlace<EndpointLoad>, 'transport'>,
  ) => ({ inFlight: state.load.inFlight }),
  explain: ({ upstream: { balance, urls }, part }: ExplainScope<unknown, BalanceSettings>) =>
    urls.length === 1
      ? []
      : [
          part(
            'balance.slowStart',
            `the less loaded of two endpoints; full share ${writtenMs(balance.slowStartMs)} after one has recovered or was added`,
          ),
        ],
}

const missing = (origin: string): Send => {
  throw new Error(`no way to ${origin}`)
}
