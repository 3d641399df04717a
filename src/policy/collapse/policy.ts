import type { Place, UpstreamOwner } from '../policy.ts'
import { isRouteRepeatable } from '../retry/repeatable.ts'
import type { RetrySettings } from '../retry/settings.ts'
import type { CallBounds, ExplainScope, RouteScope } from '../scope.ts'
import { collapsing, type Flights } from './collapse.ts'
import { freshUnread, type Unread } from './fanout.ts'
import { COLLAPSE, type CollapseSettings } from './settings.ts'

type State = { readonly flights: Flights; readonly unread: Unread }

export const collapsePolicy = {
  name: 'collapse',
  settings: COLLAPSE,
  state: {
    // One bound for the shared responses of all routes and generations.
    upstream: { unread: { prepare: (_: UpstreamOwner, known: Unread | undefined) => known ?? freshUnread() } },
    // Shared calls end with the generation that they began in.
    route: { flights: { prepare: (): Flights => new Map() } },
  },
  layer: ({ route, state, deps }: Place<CollapseSettings & RetrySettings, unknown, State>) => {
    const { collapse, retry } = route
    if (collapse === false) return undefined
    const headers = collapse === true ? undefined : new Set(collapse.headers.map((name) => name.toLowerCase()))
    return collapsing({ headers, maxBodyBytes: retry.bodyBuffer.memoryBytes }, state.flights, state.unread, deps)
  },
  explain: ({ route: { collapse }, part }: ExplainScope<CollapseSettings>) => {
    if (collapse === false) return []
    const headers = collapse === true ? 'with the same headers' : `with the same ${collapse.headers.join(', ')}`
    return [part('collapse', `one call for all who ask the same at the same time, ${headers}`)]
  },
  bounds: ({ route }: ExplainScope<CollapseSettings>): CallBounds => ({ isShared: route.collapse !== false }),
  warnings: {
    route: {
      'collapse-loses-requests': (scope: RouteScope<CollapseSettings & RetrySettings>) =>
        scope.route.collapse === false || scope.match === undefined || isRouteRepeatable(scope) !== false
          ? undefined
          : {
              at: ['collapse'] as const,
              reason: `two ${scope.match} at the same time that are alike become one call: where each is to do something, one of them is not done`,
              fix: 'idempotent: true where a repetition has the same result, which is what collapse is for; else collapse: false',
            },
    },
  },
}
