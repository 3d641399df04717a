import { z } from 'zod'
import { duration, listOf, offOr, text } from '../../config/kinds/kinds.ts'
import { pointer } from '../../config/kinds/pointer.ts'
import { setting, type Values } from '../../config/kinds/setting.ts'
import { NO_SETTINGS } from '../policy.ts'

const on = z
  .strictObject({
    json: pointer.describe("JSON Pointer to the job's status in the response."),
    in: listOf(text).min(1).describe('Statuses of a job that is still running.'),
    upTo: duration('1s', '1h').describe('Longest time that a poll is held.'),
    every: duration('100ms', '5m').describe('Time between two polls of the upstream.'),
  })
  .transform(({ upTo, every, ...rest }) => ({ ...rest, upToMs: upTo, everyMs: every }))

export const HOLD = {
  ...NO_SETTINGS,
  routeOnly: {
    hold: setting(offOr(on), false, "Holds a poll: the sidecar polls the upstream until the job's status changes."),
  },
} as const

export type HoldSettings = Values<typeof HOLD.routeOnly>
