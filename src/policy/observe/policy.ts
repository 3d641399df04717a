import type { DeadlineSettings } from '../deadline/settings.ts'
import { NO_SETTINGS, type Place } from '../policy.ts'
import { statusesIn } from '../shared/statuses.ts'
import type { RetrySettings } from '../retry/settings.ts'
import { observedTimeout, observing } from './observe.ts'
import { isObserved } from './settings.ts'

/** Shortens an attempt's limit by the observed latency of the route. */
export const observedTimeoutPolicy = {
  name: 'observed timeout',
  settings: NO_SETTINGS,
  layer: ({ route, deps }: Place<DeadlineSettings>) => {
    const { attemptMs } = route.timeout
    return isObserved(attemptMs) ? observedTimeout(attemptMs, deps) : undefined
  },
}

/** Measures the attempts of each group of paths. */
export const observePolicy = {
  name: 'observe',
  settings: NO_SETTINGS,
  gate: ({ route, deps }: Place<RetrySettings>) => observing(statusesIn(route.retry.on), deps),
}
