import { z } from 'zod'
import { duration, integer, offOr } from '../../config/kinds/kinds.ts'
import { setting, type Values } from '../../config/kinds/setting.ts'
import { NO_SETTINGS } from '../policy.ts'

const on = z
  .strictObject({
    requests: integer(1, 100_000).describe('the most within any per'),
    per: duration('1s', '1d').describe('length of the window'),
    queueTimeout: duration('1ms', '1h').describe('longest wait for a turn; the deadline when not said').optional(),
  })
  .transform(({ requests, per, queueTimeout }) => ({ requests, perMs: per, queueTimeoutMs: queueTimeout }))

export const RATE = {
  ...NO_SETTINGS,
  upstream: { rate: setting(offOr(on), false, 'paces what the upstream gets') },
} as const

export type RateSettings = Values<typeof RATE.upstream>
