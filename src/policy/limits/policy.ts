import { writtenMs } from '../../config/kinds/units.ts'
import { type BreakerState, refusalAt } from '../breaker/breakers.ts'
import type { HedgeSettings } from '../hedge/settings.ts'
import type { HoldSettings } from '../hold/settings.ts'
import type { Deps } from '../../deps.ts'
import type { PeerNews } from '../../peers.ts'
import type { Place } from '../policy.ts'
import type { Conflict, ExplainScope, Names, RouteScope } from '../scope.ts'
import { bounded, limit, slotsInAll } from '../shared/limit.ts'
import { heard } from '../shared/permits.ts'
import { type LimitName, LIMITS, type SharedLimits } from './settings.ts'
import { type LimitsState, limitsState } from './state.ts'

type LimitedPlace = Place<LimitName & BreakerState['route'], unknown, LimitsState & BreakerState['state']>
type Scope = RouteScope<LimitName & HedgeSettings & HoldSettings, unknown, SharedLimits>

/** Limits the concurrent requests of several upstreams or routes together. */
export const limitsPolicy = {
  name: 'shared limit',
  settings: LIMITS,
  state: { service: { limits: limitsState } },
  gate: (place: LimitedPlace) => {
    const { limit: name } = place.route
    const shared = name === false ? undefined : place.state.limits.get(name)
    return shared && limit(shared.settings, shared.slots, refusalAt(place), place.deps)
  },
  serviceSnapshot: ({ limits }: LimitsState) => ({
    limits: [...limits].map(([name, { slots }]) => ({
      name,
      max: slotsInAll(slots),
      inUse: slots.inUse,
      queued: slots.waiting.length,
    })),
  }),
  serviceHear: ({ limits }: LimitsState, news: PeerNews, deps: Deps) => {
    if (news.kind !== 'permits') return
    for (const [name, { settings, slots }] of limits)
      if (news.key === `limits.${name}` && slots.permits !== undefined)
        heard(slots.permits, news.isFree, bounded(settings, slots, deps), deps)
  },
  explain: ({ route, service, part }: ExplainScope<LimitName, unknown, SharedLimits>) => {
    const shared = route.limit === false ? undefined : service.limits[route.limit]
    if (shared === undefined) return []
    const { max, fleet, queue, queueTimeoutMs } = shared
    const ofFleet = fleet === false ? '' : `, ${fleet} over all sidecars of the fleet`
    return [
      part(
        'limit',
        `limits.${route.limit}: ${max} at once, with all others that name it${ofFleet}; ${queue} more wait up to ${writtenMs(queueTimeoutMs)}; the rest gets 503`,
      ),
    ]
  },
  conflicts: ({ limit: name }: LimitName, { limits }: Names): Conflict[] =>
    name === false || limits.includes(name)
      ? []
      : [
          {
            path: ['limit'],
            message: `no such limit${limits.length > 0 ? `: ${limits.join(', ')}` : ' under limits'}`,
          },
        ],
  warnings: {
    route: {
      'shared-queue-over-total': ({ route, service, lengths }: Scope) => {
        const shared = route.limit === false ? undefined : service.limits[route.limit]
        if (shared === undefined || shared.queueTimeoutMs < lengths.totalMs) return undefined
        return {
          at: ['timeout.total', 'limit'] as const,
          reason: `a request may wait ${writtenMs(shared.queueTimeoutMs)} for a slot of limits.${route.limit}, and has ${writtenMs(lengths.totalMs)} in all: what waits that long is refused, and was never sent`,
          fix: `a longer total, or a queueTimeout of limits.${route.limit} well below ${writtenMs(lengths.totalMs)}`,
        }
      },
      'hedge-within-limit': ({ route: { hedge, limit: name } }: Scope) =>
        hedge === false || name === false
          ? undefined
          : {
              at: ['hedge', 'limit'] as const,
              reason: `a hedge is made within the slot of its request: limits.${name} admits up to ${1 + hedge.max} calls for each slot`,
              fix: 'hedge: false, or a max that is right for twice the calls',
            },
      'held-polls-take-slots': ({ route: { hold, limit: name } }: Scope) =>
        hold === false || name === false
          ? undefined
          : {
              at: ['limit', 'hold'] as const,
              reason: `polls take slots of limits.${name}, too: they wait behind the work that they ask about`,
              fix: 'limit on the routes that do the work, and limit: false on this one',
            },
    },
  },
}
