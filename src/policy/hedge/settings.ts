import { z } from 'zod'
import { duration, integer, offOr } from '../../config/kinds/kinds.ts'
import { setting, type Values } from '../../config/kinds/setting.ts'
import { NO_SETTINGS } from '../policy.ts'

const on = z
  .strictObject({
    after: z.union([z.literal('p95'), duration('1ms', '1h')]).describe('how long the first is waited for'),
    max: integer(1, 3).describe('further attempts beside the first'),
  })
  .transform(({ after, max }) => ({ afterMs: after, max }))

export const HEDGE = {
  ...NO_SETTINGS,
  route: { hedge: setting(offOr(on), false, 'a second attempt beside a slow first one') },
} as const

export type HedgeSettings = Values<typeof HEDGE.route>
