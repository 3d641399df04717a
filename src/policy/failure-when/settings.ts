import { z } from 'zod'
import { checkTerm, condition, conditions, idSource, TERM } from '../../config/kinds/condition.ts'
import { listOf, offOr, size, text } from '../../config/kinds/kinds.ts'
import { setting, sizeSetting, type Values } from '../../config/kinds/setting.ts'
import { NO_SETTINGS } from '../policy.ts'

const on = z
  .strictObject({
    ...TERM,
    oncePer: idSource
      .describe(
        "Where the job's id stands: each job's failure counts once. The route's job by default. A name is that of a {name} in match.",
      )
      .optional(),
    completed: listOf(text)
      .describe('Values at json of a completed job, where completedWhen does not say. Common words by default.')
      .optional(),
  })
  .check(checkTerm)

export const FAILURE_WHEN = {
  ...NO_SETTINGS,
  route: {
    inspect: sizeSetting(
      size('1KiB', '16MiB'),
      '64KiB',
      'Largest response body that conditions read and whose JSON is rewritten. A larger one is unknown to a condition.',
    ),
  },
  routeOnly: {
    failureWhen: setting(
      z.union([z.literal(false, { error: 'expected false' }), conditions(), on]),
      false,
      'Condition of a response that reports a failed job: it counts as a failure of the upstream.',
    ),
    completedWhen: setting(
      offOr(condition),
      false,
      'Condition of a response that reports a completed job: it ends a hold, and the row of failed jobs.',
    ),
  },
} as const

export type FailureWhenSettings = Values<typeof FAILURE_WHEN.routeOnly> & Values<typeof FAILURE_WHEN.route>
