/** How the library is to connect: bounded in every step, and nothing done twice or later than it was asked for. */

import { Cluster, Redis, type RedisOptions } from 'ioredis'
import type { Address } from '../../net/listen.ts'
import { trusting } from '../../net/trust.ts'
import type { RedisTarget } from '../place.ts'

export type RedisTls = {
  /** PEM text of authorities to trust besides Node's and the system's; '' for none. */
  readonly ca: string
  /** Name to ask for and to check; '' for the host's. */
  readonly servername: string
}

/** For one command, in ms. A script that has to be loaded takes two. */
const COMMAND_MS = 800
/** For a connection to be accepted, in ms. */
export const CONNECT_MS = 1_000
/** For a sentinel to say where the master is, in ms; then the next is asked. */
export const SENTINEL_MS = 500
/** Between two attempts to connect, in ms: grows to the second. */
const RECONNECT_MS = { step: 50, most: 500 }
/** For a server to agree that a connection ends, in ms; then it is cut. */
const DISCONNECT_MS = 200

/**
 * Nothing is queued while the connection is away, and nothing is sent twice: the library's defaults wait for ever, and
 * resend what may have been executed.
 */
const FAIL_FAST = {
  enableOfflineQueue: false,
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  commandTimeout: COMMAND_MS,
  connectTimeout: CONNECT_MS,
  disconnectTimeout: DISCONNECT_MS,
  connectionName: 'breakwater',
  // A master that became a replica says so: connect anew, to whom the sentinels now name.
  reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
} satisfies RedisOptions

/** A connection that is not begun yet. @param known further nodes of a cluster. */
export function connectionOf(
  target: RedisTarget,
  { ca, servername }: RedisTls,
  known: readonly Address[],
): Redis | Cluster {
  const { mode, nodes, master, username, password, sentinelPassword, db } = target
  const tls = target.tls ? { tls: { secureContext: trusting(ca), ...(servername === '' ? {} : { servername }) } } : {}
  const auth = { ...(username === undefined ? {} : { username }), ...(password === undefined ? {} : { password }) }
  const again = (times: number) => Math.min(times * RECONNECT_MS.step, RECONNECT_MS.most)
  const options = { ...FAIL_FAST, ...auth, ...tls }
  if (mode === 'cluster') {
    const { enableOfflineQueue: _, ...redisOptions } = options
    return new Cluster([...nodes, ...known], {
      lazyConnect: true,
      enableOfflineQueue: false,
      redisOptions,
      slotsRefreshTimeout: CONNECT_MS,
      clusterRetryStrategy: again,
      maxRedirections: 4,
      retryDelayOnFailover: 50,
      retryDelayOnClusterDown: 50,
    })
  }
  const common = { ...options, db, lazyConnect: true, retryStrategy: again }
  if (mode === 'single') return new Redis({ ...common, ...nodes[0] })
  return new Redis({
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
}
