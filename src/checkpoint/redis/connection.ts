/** Options of the Redis library: every step is bounded, and nothing is done twice or later than asked. */

import { Cluster, Redis, type RedisOptions } from 'ioredis'
import type { Address } from '../../net/listen.ts'
import type { TlsTexts } from '../../net/tls/files.ts'
import { trusting } from '../../net/tls/trust.ts'
import type { RedisTarget } from '../place.ts'

/** Timeout of a command in ms. A script that must be loaded takes two commands. */
const COMMAND_MS = 800
/** Timeout of a connect in ms. */
export const CONNECT_MS = 1_000
/** Time in ms for a sentinel to name the master. Then the next sentinel is asked. */
export const SENTINEL_MS = 500
/** Waits between connects in ms: longer by `step` each time, up to `most`. */
const RECONNECT_MS = { step: 50, most: 500 }
/** Time in ms for a server to agree to the end of a connection. Then it is cut. */
const DISCONNECT_MS = 200

/**
 * Nothing is queued without a connection, and nothing is sent twice: by default the library waits for ever, and resends
 * commands that may have been executed.
 */
const FAIL_FAST = {
  enableOfflineQueue: false,
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  commandTimeout: COMMAND_MS,
  connectTimeout: CONNECT_MS,
  disconnectTimeout: DISCONNECT_MS,
  connectionName: 'breakwater',
  // A master that became a replica says so: connect again, to the master that the sentinels name now.
  reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
} satisfies RedisOptions

/** Makes a connection without starting it. @param known further nodes of a cluster. */
export function connectionOf(
  target: RedisTarget,
  { ca, cert, key, servername }: TlsTexts,
  known: readonly Address[],
): Redis | Cluster {
  const { mode, nodes, master, username, password, sentinelPassword, db } = target
  const tls = target.tls
    ? { tls: { secureContext: trusting(ca, { cert, key }), ...(servername === '' ? {} : { servername }) } }
    : {}
  const auth = { ...(username === undefined ? {} : { username }), ...(password === undefined ? {} : { password }) }
  const again = (times: number) => Math.min(times * RECONNECT_MS.step, RECONNECT_MS.most)
  const options = { ...FAIL_FAST, ...auth, ...tls }
  if (mode === 'cluster') {
    const { enableOfflineQueue: _, ...redisOptions } = options
    const cluster = new Cluster([...nodes, ...known], {
      lazyConnect: true,
      enableOfflineQueue: false,
      redisOptions,
      slotsRefreshTimeout: CONNECT_MS,
      clusterRetryStrategy: again,
      maxRedirections: 4,
      retryDelayOnFailover: 50,
      retryDelayOnClusterDown: 50,
    })
    cluster.on('+node', hearingAllErrors)
    return cluster
  }
  const common = { ...options, db, lazyConnect: true, retryStrategy: again }
  if (mode === 'single') return hearingAllErrors(new Redis({ ...common, ...nodes[0] }))
  const redis = new Redis({
    ...common,
    name: master,
    sentinels: [...nodes],
    sentinelRetryStrategy: again,
    sentinelReconnectStrategy: again,
    sentinelCommandTimeout: SENTINEL_MS,
    failoverDetector: true,
    ...(sentinelPassword === undefined ? {} : { sentinelPassword }),
    ...(target.tls ? { enableTLSForSentinelMode: true, sentinelTLS: tls.tls } : {}),
  })
  return hearingAllErrors(redis)
}

/**
 * The library listens for one error of a socket. Over TLS there may be two, the server's alert and the reset that follows: the
 * second one would be an uncaught exception. It says nothing more than the first.
 */
function hearingAllErrors(redis: Redis): Redis {
  return redis.on('connect', () => redis.stream.on('error', () => {}))
}
