import { z } from 'zod'
import { duration, integer, offOr } from '../../config/kinds/kinds.ts'
import { setting, type Values } from '../../config/kinds/setting.ts'
import { NO_SETTINGS } from '../policy.ts'

const on = z
  .strictObject({
    requests: integer(1, 100_000).describe('Largest number of calls within any window.'),
    per: duration('1s', '1d').describe('Length of the window.'),
    queueTimeout: duration('1ms', '1h')
      .describe("Longest wait for a turn. The request's deadline by default.")
      .optional(),
  })
  .transform(({ requests, per, queueTimeout }) => ({ requests, perMs: per, queueTimeoutMs: queueTimeout }))

export const RATE = {
  ...NO_SETTINGS,
  upstream: { rate: setting(offOr(on), false, 'Limits the rate of calls to the upstream, including retries.') },
} as const

export type RateSettings = Values<typeof RATE.upstream>
