import { duration, flag, integer, offOr } from '../../config/kinds/kinds.ts'
import { lengthSetting, setting, type Values } from '../../config/kinds/setting.ts'
import { NO_SETTINGS } from '../policy.ts'

export const CONCURRENCY = {
  ...NO_SETTINGS,
  upstream: {
    concurrency: {
      max: setting(integer(1, 100_000), 64, 'Largest number of concurrent requests.'),
      queue: setting(integer(0, 1_000_000), 256, 'Largest number of requests that wait for a slot.'),
      queueTimeout: lengthSetting(duration('1ms', '1h'), '5s', 'Longest wait for a slot or a connection.'),
      fleet: setting(
        offOr(integer(1, 1_000_000)),
        false,
        'Largest number of concurrent requests of all sidecars of the fleet together. Needs fleet.',
      ),
      adaptive: setting(flag, false, 'Finds the limit from latency, up to max.'),
    },
  },
} as const

export type ConcurrencySettings = Values<typeof CONCURRENCY.upstream>
