import { duration, flag, integer } from '../../config/kinds/kinds.ts'
import { lengthSetting, setting, type Values } from '../../config/kinds/setting.ts'
import { NO_SETTINGS } from '../policy.ts'

export const CONCURRENCY = {
  ...NO_SETTINGS,
  upstream: {
    concurrency: {
      max: setting(integer(1, 100_000), 64, 'requests in flight at once'),
      queue: setting(integer(0, 1_000_000), 256, 'requests that may wait for their turn'),
      queueTimeout: lengthSetting(duration('1ms', '1h'), '5s', 'longest wait for a turn, or for a connection'),
      adaptive: setting(flag, false, 'finds the limit from latency, up to max'),
    },
  },
} as const

export type ConcurrencySettings = Values<typeof CONCURRENCY.upstream>
