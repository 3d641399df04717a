import { z } from 'zod'
import { duration, integer, offOr, text } from '../../config/kinds/kinds.ts'
import { setting, type Values } from '../../config/kinds/setting.ts'
import { NO_SETTINGS } from '../policy.ts'

const NAME = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/

const QUEUE = 256
const QUEUE_TIMEOUT_MS = 5_000

const one = z
  .strictObject({
    max: integer(1, 100_000).describe('Largest number of concurrent requests, of all upstreams and routes together.'),
    queue: integer(0, 1_000_000)
      .meta({ description: 'Largest number of requests that wait for a slot.', byDefault: QUEUE })
      .optional(),
    queueTimeout: duration('1ms', '1h')
      .meta({ description: 'Longest wait for a slot, within the deadline.', byDefault: '5s' })
      .optional(),
  })
  .transform(({ max, queue, queueTimeout }) => ({
    max,
    queue: queue ?? QUEUE,
    queueTimeoutMs: queueTimeout ?? QUEUE_TIMEOUT_MS,
  }))

export const LIMITS = {
  ...NO_SETTINGS,
  service: {
    limits: setting(
      z.record(
        z.string().regex(NAME, { error: 'a name has small letters, digits and inner hyphens, 63 at most' }),
        one,
      ),
      {},
      'Limits of concurrent requests that several upstreams or routes share, such as one GPU behind two services, by name. `limit` names one.',
    ),
  },
  route: {
    limit: setting(offOr(text), false, 'Name of one of `limits`, whose slots the requests take.'),
  },
} as const

export type SharedLimits = Values<typeof LIMITS.service>
export type LimitName = Values<typeof LIMITS.route>
