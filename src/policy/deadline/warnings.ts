/** Warns of time limits that never apply, and of those that end after the client has left. */

import { writtenMs } from '../../config/kinds/units.ts'
import type { RouteScope, Rules } from '../scope.ts'
import type { DeadlineSettings } from './settings.ts'

/** Below this an attempt is more likely a slip of the unit than meant. */
const SHORTEST_MS = 50

export const DEADLINE_WARNINGS: Rules<RouteScope<DeadlineSettings>> = {
  'total-over-client-timeout': ({ route, lengths }) =>
    lengths.totalMs < route.clientTimeoutMs
      ? undefined
      : {
          at: ['timeout.total', 'clientTimeout'],
          reason: `the client gives up after ${writtenMs(route.clientTimeoutMs)}, an answer may take ${writtenMs(lengths.totalMs)}: whatever a retry brings later reaches nobody`,
          fix: `a total below ${writtenMs(route.clientTimeoutMs)}; or, where the client waits longer, say so: clientTimeout: ${writtenMs(Math.ceil(lengths.totalMs / 5_000) * 6_000)}`,
        },

  'attempt-over-total': ({ lengths }) =>
    lengths.attemptMs <= lengths.totalMs
      ? undefined
      : {
          at: ['timeout.attempt', 'timeout.total'],
          reason: `one attempt may take ${writtenMs(lengths.attemptMs)}, all of them together ${writtenMs(lengths.totalMs)}: the attempt's limit never applies, and a slow first attempt leaves no time for a second`,
          fix: `an attempt well below ${writtenMs(lengths.totalMs)}, or equal to it where one long attempt is meant`,
        },

  'attempt-hardly-possible': ({ lengths }) =>
    lengths.attemptMs >= SHORTEST_MS
      ? undefined
      : {
          at: ['timeout.attempt'],
          reason: `an attempt of ${writtenMs(lengths.attemptMs)} is over before most services answer: a pause for garbage collection is longer`,
          fix: `${writtenMs(SHORTEST_MS)} or more; ${writtenMs(lengths.attemptMs * 1000)} where seconds are meant`,
        },

  'connect-over-total': ({ lengths }) =>
    lengths.connectMs < lengths.totalMs
      ? undefined
      : {
          at: ['timeout.connect', 'timeout.total'],
          reason: `connecting may take ${writtenMs(lengths.connectMs)}, all attempts together ${writtenMs(lengths.totalMs)}: an address that swallows packets uses up all the time, and no other attempt is made`,
          fix: 'a connect of a few seconds: within a data centre it takes milliseconds, or it does not come',
        },
}
