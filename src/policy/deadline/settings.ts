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
      connect: lengthSetting(length('1ms', '5m'), '5s', 'Time to connect, including the TLS handshake.'),
      attempt: lengthSetting(
        z.union([duration('1ms', '1d'), computedLength, observedLength]),
        '12s',
        'Time for one attempt, from the end of the request to the response head. Also bounds a small body that stalls.',
      ),
      total: lengthSetting(
        length('1ms', '1d'),
        '60s',
        'Time for all attempts and waits together, to the relayed response head.',
      ),
      idle: lengthSetting(length('1ms', '1d'), '60s', 'Time between two chunks of a body, in either direction.'),
      useful: lengthSetting(
        duration('1ms', '1d'),
        '1s',
        'Time that a call is taken to need while few of its path are known. What has waited is not sent with less left.',
      ),
      tunnel: lengthSetting(
        duration('1s', '7d'),
        '1h',
        'Time without a byte after which an upgraded connection is closed.',
      ),
    },
    clientTimeout: lengthSetting(
      duration('1ms', '1d'),
      '65s',
      'Time that the client waits for a response head. Changes no request; check and explain use it.',
    ),
  },
} as const

export type DeadlineSettings = Values<typeof DEADLINE.route>
export type TimeoutSettings = DeadlineSettings['timeout']
