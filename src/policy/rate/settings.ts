import { z } from 'zod'
import { duration, integer, offOr } from '../../config/kinds/kinds.ts'
import { setting, type Values } from '../../config/kinds/setting.ts'
import { NO_SETTINGS } from '../policy.ts'

const QUEUE_TIMEOUT_MS = 5_000

const on = z
  .strictObject({
    requests: integer(1, 100_000).describe('Largest number of calls within any window.'),
    per: duration('1s', '1d').describe('Length of the window.'),
    burst: integer(1, 100_000)
      .describe(
        'Largest number of calls at once; the others go `per` / `requests` apart. A fifth of `requests` by default, at least 1. After a start there is none until `per` has passed without a call.',
      )
      .optional(),
    queueTimeout: duration('1ms', '1h')
      .meta({
        description:
          'Longest wait for a turn, within the deadline. A request that would wait longer is refused at once.',
        byDefault: '5s',
      })
      .optional(),
  })
  .refine(({ requests, burst = 1 }) => burst <= requests, { path: ['burst'], error: 'is more than requests' })
  .transform(({ requests, per, burst, queueTimeout }) => ({
    requests,
    perMs: per,
    burst: burst ?? Math.max(1, Math.floor(requests / 5)),
    queueTimeoutMs: queueTimeout ?? QUEUE_TIMEOUT_MS,
  }))

export const RATE = {
  ...NO_SETTINGS,
  upstream: {
    rate: setting(
      offOr(on),
      false,
      'Limits the rate of calls to the upstream, including retries, and spaces them evenly.',
    ),
  },
} as const

export type RateSettings = Values<typeof RATE.upstream>
