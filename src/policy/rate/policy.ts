import { isDeepStrictEqual } from 'node:util'
import { writtenMs } from '../../config/kinds/units.ts'
import type { Deps } from '../../deps.ts'
import { type BreakerState, refusalAt } from '../breaker/breakers.ts'
import { type FleetNamed, NO_SETTINGS, type Place, type Standing, type UpstreamOwner } from '../policy.ts'
import type { ExplainScope } from '../scope.ts'
import { type PacedCalls, paceSnapshot, pacing, repace } from './rate.ts'
import { RATE, type RateSettings } from './settings.ts'
import { freshPace, freshSharedTurns, type Pace } from './window.ts'

type State = { readonly pace: Pace | undefined }
type Owner = UpstreamOwner<RateSettings>

export const ratePolicy = {
  name: 'rate',
  settings: RATE,
  state: {
    upstream: {
      pace: {
        prepare: ({ name, settings: { rate } }: Owner, known: Pace | undefined, _: Owner | undefined, deps: Deps) => {
          if (rate === false) return undefined
          const shared = deps.peers && freshSharedTurns(name, rate)
          return known ?? freshPace(rate, deps.clock.now(), shared)
        },
        activate: (pace: Pace | undefined, { settings: { rate } }: Owner, _: Pace | undefined, deps: Deps) => {
          if (pace === undefined || rate === false) return
          if (!isDeepStrictEqual(rate, pace.shared?.rate ?? pace.rate)) repace(pace, rate, deps)
        },
      },
    },
  },
  layer: (place: RatedPlace) => paced(place, 'attempts'),
  snapshot: ({ state: { pace }, deps }: Standing<unknown, State>) =>
    pace === undefined ? {} : { queued: pace.waiting.length, rate: paceSnapshot(pace, deps.clock.now()) },
  explain: ({ upstream: { rate }, service: { fleet }, part }: ExplainScope<unknown, RateSettings, FleetNamed>) => {
    if (rate === false) return []
    const { requests, perMs, burst, queueTimeoutMs } = rate
    const paced = `${burst} at once after a quiet ${writtenMs(perMs)}, the rest ${writtenMs(perMs / requests)} apart`
    const whose =
      fleet === false
        ? ''
        : `, of all sidecars of the fleet ${fleet.name} together; without its Redis, this one's share`
    return [
      part(
        'rate',
        `${requests} within any ${writtenMs(perMs)}, retries included${whose}: ${paced}; a request waits for its turn up to ${writtenMs(queueTimeoutMs)}, within the deadline, or is refused at once`,
      ),
    ]
  },
}

/** Hedges count against the rate, too. */
export const hedgeRatePolicy = {
  name: 'rate of hedges',
  settings: NO_SETTINGS,
  layer: (place: RatedPlace) => paced(place, 'hedges'),
}

type RatedPlace = Place<BreakerState['route'], RateSettings, State & BreakerState['state']>

function paced(place: RatedPlace, what: PacedCalls) {
  const { rate } = place.upstream
  const { pace } = place.state
  if (rate === false || pace === undefined) return undefined
  return pacing(pace, what, refusalAt(place), place.deps)
}
