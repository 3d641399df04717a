import { z } from 'zod'
import { duration, flag, integer } from '../../config/kinds/kinds.ts'
import { lengthSetting, setting, type Values } from '../../config/kinds/setting.ts'
import { NO_SETTINGS } from '../policy.ts'

export const CONNECTIONS = {
  ...NO_SETTINGS,
  upstream: {
    connections: {
      max: setting(
        z.union([z.literal('concurrency'), integer(1, 100_000)]),
        'concurrency',
        'Largest number of connections to each endpoint; concurrency: as many as concurrency.max.',
      ),
      idle: lengthSetting(
        duration('1ms', '1h'),
        '4s',
        "Time after which an idle connection is closed. Must be less than the upstream's keep-alive.",
      ),
      resolve: lengthSetting(duration('1s', '1d'), '30s', "Time between two DNS lookups of the upstream's name."),
    },
    http2: setting(
      flag,
      false,
      'Calls https upstreams by HTTP/2 where they offer it (ALPN). Calls then share connections, and connections.max bounds the calls at once.',
    ),
  },
} as const

export type ConnectionSettings = Values<typeof CONNECTIONS.upstream>
