import { z } from 'zod'
import { duration } from '../../config/kinds/kinds.ts'
import { computedLength, length } from '../../config/kinds/length.ts'
import { lengthSetting, type Values } from '../../config/kinds/setting.ts'
import { NO_SETTINGS } from '../policy.ts'
import { observedLength } from '../observe/settings.ts'

export const DEADLINE = {
  ...NO_SETTINGS,
  route: {
    timeout: {
      connect: lengthSetting(length('1ms', '5m'), '5s', 'to connect, the TLS handshake included'),
      attempt: lengthSetting(
        z.union([duration('1ms', '1d'), computedLength, observedLength]),
        '12s',
        'one attempt, from the end of its request to its response head',
      ),
      total: lengthSetting(length('1ms', '1d'), '25s', 'all attempts and waits, to the response head that is relayed'),
      idle: lengthSetting(length('1ms', '1d'), '60s', 'between two chunks of a body, either way'),
      tunnel: lengthSetting(duration('1s', '7d'), '1h', 'an upgraded connection without a byte'),
    },
    clientTimeout: lengthSetting(
      duration('1ms', '1d'),
      '30s',
      'how long the client waits for a response head (httpx: 30s in make-video); changes nothing, check and explain judge by it',
    ),
  },
} as const

export type DeadlineSettings = Values<typeof DEADLINE.route>
export type TimeoutSettings = DeadlineSettings['timeout']
