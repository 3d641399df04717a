/** A connection to Redis that fails fast: a server that is away, or stands still, costs a caller a second at the most. */

import { Cluster, Redis, type RedisOptions } from 'ioredis'
import CircuitBreaker from 'opossum'
import { trusting } from '../trust.ts'
import type { RedisTarget } from './place.ts'
import type { Script } from './redis-scripts.ts'
import { StoreDown } from './store.ts'

export type RedisTls = {
  /** PEM text of authorities to trust besides Node's and the system's; '' for none. */
  readonly ca: string
  /** Name to ask for and to check; '' for the host's. */
  readonly servername: string
}

/** For one command, in ms. A script that has to be loaded takes two. */
const COMMAND_MS = 800
const CONNECT_MS = 1_000
/** Between two attempts to connect, in ms: grows to the second. */
const RECONNECT_MS = { step: 50, most: 500 }

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
  connectionName: 'breakwater',
  // A master that became a replica says so: connect anew, to whom the sentinels now name.
  reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
} satisfies RedisOptions

/** After five failures, half of all, Redis is left alone for a second; then one call finds out whether it is back. */
const BREAKER = {
  timeout: false,
  errorThresholdPercentage: 50,
  volumeThreshold: 5,
  resetTimeout: 1_000,
  rollingCountTimeout: 5_000,
  rollingCountBuckets: 5,
  rollingPercentilesEnabled: false,
  // Redis answered; that this key is of another type says nothing about the next.
  errorFilter: (error: Error) => /^(?:WRONGTYPE|ERR) /.test(error.message),
} as const

type Command = () => Promise<unknown>

export class RedisClient {
  readonly #redis: Redis | Cluster
  readonly #breaker: CircuitBreaker<[Command], unknown>
  #lastError = ''

  constructor(target: RedisTarget, tls: RedisTls) {
    this.#redis = clientOf(target, tls)
    this.#redis.on('error', (error: Error) => {
      this.#lastError = error.message
    })
    this.#redis.on('ready', () => {
      this.#lastError = ''
    })
    this.#breaker = new CircuitBreaker((command: Command) => command(), BREAKER)
    // Commands that were not answered stay in the connection's queue: a new connection has none.
    this.#breaker.on('open', () => this.#redis.disconnect(true))
  }

  /** Starts connecting. @returns once connected, or once it is clear that this will take longer. */
  async connect(): Promise<void> {
    const first = new Promise<void>((resolve) => {
      for (const event of ['ready', 'error', 'close', 'node error']) this.#redis.once(event, () => resolve())
    })
    // What the first attempt comes to is told by the events; the client goes on by itself.
    this.#redis.connect().catch((error: Error) => {
      this.#lastError ||= error.message
    })
    await first
  }

  /** @throws StoreDown. Its message has no argument of any command: there may be a password among them. */
  async ask<R>(command: (redis: Redis | Cluster) => Promise<R>): Promise<R> {
    try {
      return (await this.#breaker.fire(() => command(this.#redis))) as R
    } catch (error) {
      const told = error instanceof Error ? error.message : String(error)
      const why = told.includes('enableOfflineQueue') ? 'not connected' : told
      throw new StoreDown(`Redis: ${this.#lastError === '' ? why : `${why} (${this.#lastError})`}`)
    }
  }

  run(script: Script, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
    return this.ask(async (redis) => {
      try {
        return await redis.evalsha(script.sha, keys.length, ...keys, ...args)
      } catch (error) {
        if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error
        return await redis.eval(script.text, keys.length, ...keys, ...args)
      }
    })
  }

  /** All keys that match, of every master: the order is nobody's. */
  async keys(pattern: string): Promise<string[]> {
    const found = new Set<string>()
    const masters = await this.ask(async (redis) => (redis instanceof Cluster ? redis.nodes('master') : [redis]))
    for (const master of masters) {
      let cursor = '0'
      do {
        const [next, page] = await this.ask(() => master.scan(cursor, 'MATCH', pattern, 'COUNT', 1000))
        for (const key of page) found.add(key)
        cursor = next
      } while (cursor !== '0')
    }
    return [...found]
  }

  close(): void {
    this.#breaker.shutdown()
    this.#redis.disconnect()
  }
}

function clientOf(target: RedisTarget, { ca, servername }: RedisTls): Redis | Cluster {
  const { mode, nodes, master, username, password, sentinelPassword, db } = target
  const tls = target.tls ? { tls: { secureContext: trusting(ca), ...(servername === '' ? {} : { servername }) } } : {}
  const auth = { ...(username === undefined ? {} : { username }), ...(password === undefined ? {} : { password }) }
  const again = (times: number) => Math.min(times * RECONNECT_MS.step, RECONNECT_MS.most)
  const options = { ...FAIL_FAST, ...auth, ...tls }
  if (mode === 'cluster') {
    const { enableOfflineQueue: _, ...redisOptions } = options
    return new Cluster([...nodes], {
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
    failoverDetector: true,
    ...(sentinelPassword === undefined ? {} : { sentinelPassword }),
    ...(target.tls ? { enableTLSForSentinelMode: true, sentinelTLS: tls.tls } : {}),
  })
}
