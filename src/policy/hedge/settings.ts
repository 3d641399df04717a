import { z } from 'zod'
import { duration, integer, offOr } from '../../config/kinds/kinds.ts'
import { setting, type Values } from '../../config/kinds/setting.ts'
import { NO_SETTINGS } from '../policy.ts'

const on = z
  .strictObject({
    after: z
      .union([z.literal('p95'), duration('1ms', '1h')])
      .describe("Time after which the other attempt starts. p95: the route's observed 95th percentile."),
    max: integer(1, 3).describe('Largest number of further attempts.'),
  })
  .meta({ example: '{ after: p95, max: 1 }' })
  .transform(({ after, max }) => ({ afterMs: after, max }))

export const HEDGE = {
  ...NO_SETTINGS,
  route: {
    hedge: setting(offOr(on), false, 'Makes another attempt beside a slow one and takes the first good response.'),
  },
} as const

export type HedgeSettings = Values<typeof HEDGE.route>
