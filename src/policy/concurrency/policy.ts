import { writtenMs } from '../../config/kinds/units.ts'
import { type BreakerState, refusalAt } from '../breaker/breakers.ts'
import { NO_SETTINGS, type Place, type Standing } from '../policy.ts'
import type { PeerNews } from '../../peers.ts'
import type { RetrySettings } from '../retry/settings.ts'
import type { ExplainScope, RouteScope } from '../scope.ts'
import { bounded, limit, slotsInAll } from '../shared/limit.ts'
import { heard } from '../shared/permits.ts'
import { statusesIn } from '../shared/statuses.ts'
import { gauging } from './adaptive.ts'
import { CONCURRENCY, type ConcurrencySettings } from './settings.ts'
import { type Concurrency, concurrencyState, limitOf } from './state.ts'

type State = { readonly concurrency: Concurrency }

export const concurrencyPolicy = {
  name: 'concurrency',
  settings: CONCURRENCY,
  state: { upstream: { concurrency: concurrencyState } },
  gate: (place: Place<BreakerState['route'], ConcurrencySettings, State & BreakerState['state']>) =>
    limit(limitOf(place.upstream), place.state.concurrency.slots, refusalAt(place), place.deps),
  snapshot: ({ state: { concurrency } }: Standing<unknown, State>) => ({
    inFlight: concurrency.slots.inUse,
    queued: concurrency.slots.waiting.length,
    limit: slotsInAll(concurrency.slots),
    slowdown: concurrency.adaptive?.slowdown,
  }),
  hear: (
    { upstream, state: { concurrency }, deps }: Standing<ConcurrencySettings, State>,
    name: string,
    news: PeerNews,
  ) => {
    const { slots } = concurrency
    if (news.kind !== 'permits' || news.key !== `concurrency.${name}` || slots.permits === undefined) return
    heard(slots.permits, news.isFree, bounded(limitOf(upstream), slots, deps), deps)
  },
  explain: ({ upstream: { concurrency }, part }: ExplainScope<unknown, ConcurrencySettings>) => {
    const { max, queue, queueTimeoutMs, adaptive, fleet } = concurrency
    return [
      part('concurrency.max', `${max} at once${adaptive ? ' at most' : ''}`),
      ...(adaptive ? [part('concurrency.adaptive', 'fewer when latency says that they queue at the upstream')] : []),
      ...(fleet === false ? [] : [part('concurrency.fleet', `${fleet} at once over all sidecars of the fleet`)]),
      part('concurrency.queue', `${queue} more wait`),
      part('concurrency.queueTimeout', `up to ${writtenMs(queueTimeoutMs)}; the rest gets 503`),
    ]
  },
  warnings: {
    route: {
      'queue-over-total': ({ upstream: { concurrency }, lengths }: RouteScope<unknown, ConcurrencySettings>) =>
        concurrency.queueTimeoutMs < lengths.totalMs
          ? undefined
          : {
              at: ['timeout.total', 'concurrency.queueTimeout'] as const,
              reason: `a request may wait ${writtenMs(concurrency.queueTimeoutMs)} for its turn, and has ${writtenMs(lengths.totalMs)} in all: what waits that long is answered 504, and was never sent`,
              fix: `a queueTimeout of a few seconds, well below ${writtenMs(lengths.totalMs)}`,
            },
    },
  },
}

/** Reports attempts to the adaptive limit. */
export const adaptivePolicy = {
  name: 'adaptive concurrency',
  settings: NO_SETTINGS,
  layer: ({ route, state, deps }: Place<RetrySettings, unknown, State>) => {
    const { adaptive } = state.concurrency
    return adaptive && gauging(adaptive, statusesIn(route.retry.on), deps)
  },
}
