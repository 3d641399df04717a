import { z } from 'zod'
import { listOf, offOr, text } from '../../config/kinds/kinds.ts'
import { pointer } from '../../config/kinds/pointer.ts'
import { setting, type Values } from '../../config/kinds/setting.ts'
import { NO_SETTINGS } from '../policy.ts'

const on = z.strictObject({
  json: pointer.describe("JSON Pointer to the job's status in the response."),
  in: listOf(text).min(1).describe('Statuses of a failed job.'),
  oncePer: text.describe("{name} in match that identifies the job. Each job's failure counts once.").optional(),
  completed: listOf(text).describe('Statuses of a completed job.').optional(),
})

export const FAILURE_WHEN = {
  ...NO_SETTINGS,
  routeOnly: { failureWhen: setting(offOr(on), false, 'Failed jobs that a 200 response reports in its body.') },
} as const

export type FailureWhenSettings = Values<typeof FAILURE_WHEN.routeOnly>
