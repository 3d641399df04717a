import { writtenMs } from '../../config/kinds/units.ts'
import type { Deps } from '../../deps.ts'
import { type BreakerState, refusalAt } from '../breaker/breakers.ts'
import { NO_SETTINGS, type Place, type Standing, type UpstreamOwner } from '../policy.ts'
import type { ExplainScope } from '../scope.ts'
import { freshPace, type Pace, type Paced, pacing, repace } from './rate.ts'
import { RATE, type RateSettings } from './settings.ts'

type State = { readonly pace: Pace | undefined }
type Owner = UpstreamOwner<RateSettings>

export const ratePolicy = {
  name: 'rate',
  settings: RATE,
  state: {
    upstream: {
      pace: {
        prepare: ({ settings: { rate } }: Owner, known: Pace | undefined) =>
          rate ? (known ?? freshPace(rate)) : undefined,
        activate: (pace: Pace | undefined, { settings: { rate } }: Owner, _: Pace | undefined, deps: Deps) => {
          if (pace === undefined || rate === false) return
          if (rate.requests !== pace.rate.requests || rate.perMs !== pace.rate.perMs) repace(pace, rate, deps)
        },
      },
    },
  },
  layer: (place: RatedPlace) => paced(place, 'requests'),
  snapshot: ({ state }: Standing<unknown, State>) => ({ queued: state.pace?.waiting.length ?? 0 }),
  explain: ({ upstream: { rate }, part }: ExplainScope<unknown, RateSettings>) => {
    if (rate === false) return []
    const longest = rate.queueTimeoutMs === undefined ? 'the deadline' : writtenMs(rate.queueTimeoutMs)
    return [
      part(
        'rate',
        `${rate.requests} within any ${writtenMs(rate.perMs)}, retries included; the rest waits its turn, up to ${longest}, or is refused at once`,
      ),
    ]
  },
}

/** Retries and hedges count against the rate, too. */
export const repetitionRatePolicy = {
  name: 'rate of repetitions',
  settings: NO_SETTINGS,
  layer: (place: RatedPlace) => paced(place, 'repetitions'),
}

type RatedPlace = Place<BreakerState['route'], RateSettings, State & BreakerState['state']>

function paced(place: RatedPlace, what: Paced) {
  const { rate } = place.upstream
  const { pace } = place.state
  if (rate === false || pace === undefined) return undefined
  const queueTimeoutMs = rate.queueTimeoutMs ?? Number.POSITIVE_INFINITY
  return pacing(queueTimeoutMs, pace, what, refusalAt(place), place.deps)
}
