import { writtenMs } from '../../config/kinds/units.ts'
import type { BreakerState } from '../breaker/breakers.ts'
import type { Send } from '../exchange.ts'
import type { EndpointOwner, EndpointPlace, Place, RouteOwner, Standing } from '../policy.ts'
import type { ExplainScope } from '../scope.ts'
import { balancing, type Delays } from './balance.ts'
import { type EndpointLoad, endpointsAt } from './endpoints.ts'
import { BALANCE, type BalanceSettings } from './settings.ts'

type State = BreakerState['state'] & { readonly delays: Delays }

export const balancePolicy = {
  name: 'balance',
  settings: BALANCE,
  state: {
    endpoint: {
      load: {
        prepare: (_: EndpointOwner, known: EndpointLoad['load'] | undefined) => known ?? { inFlight: 0 },
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
            `the less loaded of two endpoints; full share ${writtenMs(balance.slowStartMs)} after one has recovered`,
          ),
        ],
}

const missing = (origin: string): Send => {
  throw new Error(`no way to ${origin}`)
}
