import type { DeadlineSettings } from '../deadline/settings.ts'
import type { HedgeSettings } from '../hedge/settings.ts'
import { NO_SETTINGS, type Place, type RouteOwner } from '../policy.ts'
import { statusesIn } from '../shared/statuses.ts'
import type { RetrySettings } from '../retry/settings.ts'
import { freshLatencies, type Latencies } from './latencies.ts'
import { observedTimeout, observing } from './observe.ts'
import { isObserved } from './settings.ts'

type State = { readonly latencies: Latencies }

/** Shortens an attempt's limit by the observed latency of the route. */
export const observedTimeoutPolicy = {
  name: 'observed timeout',
  settings: NO_SETTINGS,
  layer: ({ route, state, deps }: Place<DeadlineSettings, unknown, State>) => {
    const { attemptMs } = route.timeout
    return isObserved(attemptMs) ? observedTimeout(attemptMs, state.latencies, deps) : undefined
  },
}

/** Measures the route's attempts where a policy uses the latency. */
export const observePolicy = {
  name: 'observe',
  settings: NO_SETTINGS,
  state: {
    route: {
      latencies: {
        prepare: (_: RouteOwner, known: Latencies | undefined) => known ?? freshLatencies(),
      },
    },
  },
  layer: ({ route, state, deps }: Place<DeadlineSettings & HedgeSettings & RetrySettings, unknown, State>) =>
    route.hedge || isObserved(route.timeout.attemptMs)
      ? observing(state.latencies, statusesIn(route.retry.on), deps)
      : undefined,
}
