import { duration, integer } from '../../config/kinds/kinds.ts'
import { lengthSetting, setting, type Values } from '../../config/kinds/setting.ts'
import { NO_SETTINGS } from '../policy.ts'

export const CONNECTIONS = {
  ...NO_SETTINGS,
  upstream: {
    connections: {
      max: setting(integer(1, 10_000), 16, 'connections to each endpoint of the upstream'),
      idle: lengthSetting(
        duration('1ms', '1h'),
        '4s',
        "idle connections are closed after this; less than the upstream's keep-alive",
      ),
      resolve: lengthSetting(
        duration('1s', '1d'),
        '30s',
        "how often the addresses of the upstream's name are asked for anew",
      ),
    },
  },
} as const

export type ConnectionSettings = Values<typeof CONNECTIONS.upstream>
