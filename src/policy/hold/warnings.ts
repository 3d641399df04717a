/** Warns of holds that never hold, and of those that outlast the client. */

import { writtenMs } from '../../config/kinds/units.ts'
import type { DeadlineSettings } from '../deadline/settings.ts'
import { forOtherMethod } from '../shared/for-get.ts'
import type { RouteScope, Rules } from '../scope.ts'
import { conditionWarnings } from '../shared/condition-warnings.ts'
import { type HoldSettings, runningIn } from './settings.ts'

export const HOLD_WARNINGS: Rules<RouteScope<HoldSettings & DeadlineSettings>> = {
  'hold-over-client-timeout': ({ route: { hold, clientTimeoutMs } }) =>
    hold === false || hold.upToMs < clientTimeoutMs
      ? undefined
      : {
          at: ['hold.upTo', 'clientTimeout'],
          reason: `polls are held for ${writtenMs(hold.upToMs)}, the client gives up after ${writtenMs(clientTimeoutMs)}: it sees time-outs in place of a job that goes on`,
          fix: `an upTo well below ${writtenMs(clientTimeoutMs)}; or, where the client waits longer, say so with clientTimeout`,
        },

  'hold-over-total': ({ route: { hold }, lengths }) =>
    hold === false || hold.upToMs < lengths.totalMs
      ? undefined
      : {
          at: ['hold.upTo', 'timeout.total'],
          reason: `polls are held for ${writtenMs(hold.upToMs)}, and total ends them after ${writtenMs(lengths.totalMs)}: the rest of the hold never happens`,
          fix: `an upTo below ${writtenMs(lengths.totalMs)}, or a longer total`,
        },

  'hold-polls-once': ({ route: { hold } }) =>
    hold === false || hold.everyMs < hold.upToMs
      ? undefined
      : {
          at: ['hold.every', 'hold.upTo'],
          reason: `the upstream is asked every ${writtenMs(hold.everyMs)}, and a hold ends after ${writtenMs(hold.upToMs)}: it is asked once, and the client waits all the same`,
          fix: 'an every that is a small part of upTo, such as 2s of 20s',
        },

  ...conditionWarnings<HoldSettings>(({ hold }) =>
    hold === false ? [] : [{ at: 'hold', condition: runningIn(hold) }],
  ),

  'only-for-get': ({ route: { hold }, match }) => (hold === false ? undefined : forOtherMethod('hold', match)),
}
