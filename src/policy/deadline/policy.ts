import type { TimeoutRules } from '../../job/timeouts.ts'
import type { Place } from '../policy.ts'
import type { ExplainScope } from '../scope.ts'
import { deadlineConflicts } from './conflicts.ts'
import { deadline } from './deadline.ts'
import { limitsOf } from './limits.ts'
import { DEADLINE, type DeadlineSettings } from './settings.ts'
import { timeoutsOf } from './timeouts.ts'
import { DEADLINE_WARNINGS } from './warnings.ts'

export const deadlinePolicy = {
  name: 'deadline',
  settings: DEADLINE,
  traits: ({ route: { timeout } }: Place<DeadlineSettings>, rules: TimeoutRules) => ({
    timeouts: timeoutsOf(timeout, rules),
    tunnelMs: timeout.tunnelMs,
  }),
  layer: () => deadline,
  explain: (scope: ExplainScope<DeadlineSettings>) => {
    const { total, client } = limitsOf(scope)
    const shorter = 'less where x-request-timeout or the time left of a registered job is less'
    return [total, { ...scope.part('timeout.total', shorter), line: total.line }, client]
  },
  conflicts: deadlineConflicts,
  warnings: { route: DEADLINE_WARNINGS },
}
