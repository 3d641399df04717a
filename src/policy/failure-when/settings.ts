import { z } from 'zod'
import { listOf, offOr, text } from '../../config/kinds/kinds.ts'
import { pointer } from '../../config/kinds/pointer.ts'
import { setting, type Values } from '../../config/kinds/setting.ts'
import { NO_SETTINGS } from '../policy.ts'

const on = z.strictObject({
  json: pointer.describe('JSON Pointer to the status in the response'),
  in: listOf(text).min(1).describe('statuses of a failed job'),
  oncePer: text.describe('{name} in match that a failure counts once for').optional(),
  completed: listOf(text).describe('statuses of a job that is done').optional(),
})

export const FAILURE_WHEN = {
  ...NO_SETTINGS,
  routeOnly: { failureWhen: setting(offOr(on), false, 'failures that a 200 reports in its body') },
} as const

export type FailureWhenSettings = Values<typeof FAILURE_WHEN.routeOnly>
