import { duration } from '../../config/kinds/kinds.ts'
import { lengthSetting, type Values } from '../../config/kinds/setting.ts'
import { NO_SETTINGS } from '../policy.ts'

export const BALANCE = {
  ...NO_SETTINGS,
  upstream: {
    balance: {
      decay: lengthSetting(
        duration('1s', '1h'),
        '10s',
        'Time constant at which an observed latency loses weight in the choice of an endpoint.',
      ),
      slowStart: lengthSetting(
        duration('0ms', '1h'),
        '30s',
        'Time after which a recovered or an added endpoint gets its full share.',
      ),
    },
  },
} as const

export type BalanceSettings = Values<typeof BALANCE.upstream>
