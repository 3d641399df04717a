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
        'how long a latency that was seen weighs in the choice of an endpoint',
      ),
      slowStart: lengthSetting(
        duration('0ms', '1h'),
        '30s',
        'an endpoint that has recovered gets its full share after this',
      ),
    },
  },
} as const

export type BalanceSettings = Values<typeof BALANCE.upstream>
