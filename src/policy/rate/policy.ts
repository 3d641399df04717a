import { isDeepStrictEqual } from 'node:util'
import { writtenMs } from '../../config/kinds/units.ts'
import type { Deps } from '../../deps.ts'
import { type BreakerState, refusalAt } from '../breaker/breakers.ts'
import { NO_SETTINGS, type Place, type Standing, type UpstreamOwner } from '../policy.ts'
import type { ExplainScope } from '../scope.ts'
import { type PacedCalls, pacing, repace } from './rate.ts'
import { RATE, type RateSettings } from './settings.ts'
import { freshPace, type Pace } from './window.ts'

type State = { readonly pace: Pace | undefined }
type Owner = UpstreamOwner<RateSettings>

export const ratePolicy = {
  name: 'rate',
  settings: RATE,
  state: {
    upstream: {
      pace: {
        prepare: ({ settings: { rate } }: Owner, known: Pace | undefined, _: Owner | undefined, deps: Deps) =>
          rate ? (known ?? freshPace(rate, deps.clock.now())) : undefined,
        activate: (pace: Pace | undefined, { settings: { rate } }: Owner, _: Pace | undefined, deps: Deps) => {
          if (pace === undefined || rate === false) return
          if (!isDeepStrictEqual(rate, pace.rate)) repace(pace, rate, deps)
        },
      },
    },
  },
  layer: (place: RatedPlace) => paced(place, 'attempts'),
  snapshot: ({ state }: Standing<unknown, State>) => ({ queued: state.pace?.waiting.length ?? 0 }),
  explain: ({ upstream: { rate }, part }: ExplainScope<unknown, RateSettings>) => {
    if (rate === false) return []
    const { requests, perMs, burst, queueTimeoutMs } = rate
    const paced = `${burst} at once after a quiet ${writtenMs(perMs)}, the rest ${writtenMs(perMs / requests)} apart`
    return [
      part(
        'rate',
        `${requests} within any ${writtenMs(perMs)}, retries included: ${paced}; a request waits for its turn up to ${writtenMs(queueTimeoutMs)}, within the deadline, or is refused at once`,
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
