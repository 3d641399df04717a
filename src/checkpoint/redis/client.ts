/** A Redis connection that fails fast: a server that is away or hangs costs a caller a second at most. */

import { Cluster, type Redis } from 'ioredis'
import CircuitBreaker from 'opossum'
import type { Clock, Timer } from '../../clock.ts'
import { connectionOf, CONNECT_MS, SENTINEL_MS } from './connection.ts'
import type { TlsTexts } from '../../net/tls/files.ts'
import type { RedisTarget } from '../place.ts'
import type { Script } from './scripts.ts'
import { StoreDown } from '../store.ts'

/**
 * Waits between connections, in ms. A new connection replaces one that ended, that did not answer a command, or that was not
 * ready in time, so that no state of the library can be final.
 */
const RENEW_MS = 1_000

/** Opens for a second when more than half of at least five calls failed. Then one call tests whether Redis is back. */
const BREAKER = {
  timeout: false,
  errorThresholdPercentage: 50,
  volumeThreshold: 5,
  resetTimeout: 1_000,
  rollingCountTimeout: 5_000,
  rollingCountBuckets: 5,
  rollingPercentilesEnabled: false,
  // Redis answered. What it refuses says nothing about the next call: a full Redis still reads.
  errorFilter: (error: Error) => /^(?:WRONGTYPE|ERR|OOM|MISCONF|NOREPLICAS|NOPERM) /.test(error.message),
} as const

type Command = () => Promise<unknown>
type Subscription = { readonly channel: string; readonly heard: (message: string) => void }

/** Redis answered with an error: it is available and refuses the command. */
export class RedisRefusal extends StoreDown {}

/** Another program keeps a value of another type under the key. */
export class RedisWrongType extends RedisRefusal {}

export class RedisClient {
  readonly #target: RedisTarget
  readonly #tls: TlsTexts
  readonly #clock: Clock
  readonly #breaker: CircuitBreaker<[Command], unknown>
  #redis: Redis | Cluster
  #begunAt: number
  /** Pending until the first connection is made or has failed. */
  #first: Promise<void> | undefined
  #renewal: Timer | undefined
  /** Timer that runs while there is no connection. */
  #overdue: Timer | undefined
  #lastError = ''
  #isClosed = false
  #subscription: Subscription | undefined

  constructor(target: RedisTarget, tls: TlsTexts, clock: Clock) {
    this.#target = target
    this.#tls = tls
    this.#clock = clock
    this.#breaker = new CircuitBreaker((command: Command) => command(), BREAKER)
    this.#redis = connectionOf(target, tls, [])
    this.#begunAt = clock.now()
  }

  /** Starts connecting. Calls wait until it is connected, or until it is clear that connecting takes longer. */
  connect(): void {
    const first = new Promise<void>((resolve) => {
      const timer = this.#clock.after(CONNECT_MS, resolve)
      for (const event of ['ready', 'error', 'close', 'node error', 'sentinelError'])
        this.#redis.once(event, () => {
          this.#clock.cancel(timer)
          resolve()
        })
    })
    this.#first = first.then(() => {
      this.#first = undefined
    })
    this.#begin(this.#redis)
  }

  /** @throws StoreDown without the arguments of any command, since there may be a password among them. */
  async ask<R>(command: (redis: Redis | Cluster) => Promise<R>): Promise<R> {
    if (this.#first !== undefined) await this.#first
    const asked = this.#redis
    try {
      return (await this.#breaker.fire(() => command(asked))) as R
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      if (message === TIMED_OUT && asked === this.#redis) this.#renewSoon()
      if (message.startsWith('WRONGTYPE')) throw new RedisWrongType(`Redis: ${message}`)
      if (isRefusal(error)) throw new RedisRefusal(`Redis: ${message}`)
      const isHeldOff = error instanceof Error && 'code' in error && error.code === 'EOPENBREAKER'
      const why = message.includes('enableOfflineQueue') ? 'not connected' : isHeldOff ? 'does not answer' : message
      throw new StoreDown(`Redis: ${this.#lastError === '' ? why : `${why} (${this.#lastError})`}`)
    }
  }

  /** Strings of the answer are bytes: other programs may have written text that is not UTF-8. */
  run(script: Script, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
    return this.ask(async (redis) => {
      try {
        return await redis.callBuffer('EVALSHA', script.sha, keys.length, ...keys, ...args)
      } catch (error) {
        if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error
        return await redis.callBuffer('EVAL', script.text, keys.length, ...keys, ...args)
      }
    })
  }

  /** Receives what is published on a channel, also over later connections. Call before `connect`; the client is then for nothing else. */
  subscribe(channel: string, heard: (message: string) => void): void {
    this.#subscription = { channel, heard }
  }

  get isCluster(): boolean {
    return this.#target.mode === 'cluster'
  }

  /** Takes a lease. @returns false when somebody has it. */
  async hold(lease: string, ms: number): Promise<boolean> {
    return (await this.ask((redis) => redis.set(lease, '1', 'PX', ms, 'NX'))) !== null
  }

  /** Prolongs a lease. */
  async keep(lease: string, ms: number): Promise<void> {
    await this.ask((redis) => redis.set(lease, '1', 'PX', Math.ceil(ms)))
  }

  /** All matching keys of every master, in no order, as each step of the scan finds them. */
  async *keysInSteps(pattern: string, count: number): AsyncGenerator<string[]> {
    for (const master of await this.#masters()) {
      let cursor = '0'
      do {
        const [next, page] = await this.ask(() => master.scan(cursor, 'MATCH', pattern, 'COUNT', count))
        yield page
        cursor = next
      } while (cursor !== '0')
    }
  }

  /** A section of INFO of every master. */
  async infoOfMasters(section: string): Promise<string[]> {
    const masters = await this.#masters()
    return Promise.all(masters.map((master) => this.ask(() => master.info(section))))
  }

  #masters(): Promise<Redis[]> {
    return this.ask(async (redis) => (redis instanceof Cluster ? redis.nodes('master') : [redis]))
  }

  close(): void {
    this.#isClosed = true
    for (const timer of [this.#renewal, this.#overdue]) if (timer !== undefined) this.#clock.cancel(timer)
    this.#breaker.shutdown()
    discard(this.#redis)
  }

  #begin(redis: Redis | Cluster): void {
    this.#begunAt = this.#clock.now()
    const isCurrent = () => redis === this.#redis && !this.#isClosed
    redis.on('error', (error: Error) => {
      if (isCurrent()) this.#lastError = error.message
    })
    redis.on('ready', () => {
      if (!isCurrent()) return
      this.#lastError = ''
      if (this.#overdue !== undefined) this.#clock.cancel(this.#overdue)
      this.#overdue = undefined
      this.#breaker.close()
      if (this.#subscription !== undefined) this.#listen(redis, this.#subscription)
    })
    redis.on('close', () => {
      if (isCurrent()) this.#expectConnection()
    })
    redis.on('end', () => {
      if (isCurrent()) this.#renewSoon()
    })
    this.#expectConnection()
    // Events report the progress. Each end, except after `ready`, starts another connection.
    redis.connect().catch((error: Error) => {
      if (isCurrent()) this.#lastError ||= error.message
    })
  }

  #listen(redis: Redis | Cluster, { channel, heard }: Subscription): void {
    redis.removeAllListeners('message')
    redis.on('message', (_: string, message: string) => heard(message))
    redis.subscribe(channel).catch((error: Error) => {
      if (redis !== this.#redis) return
      this.#lastError = error.message
      this.#renewSoon()
    })
  }

  #expectConnection(): void {
    if (this.#overdue !== undefined) this.#clock.cancel(this.#overdue)
    this.#overdue = this.#clock.after(connectPatienceMs(this.#target), () => {
      this.#overdue = undefined
      this.#renewSoon()
    })
  }

  #renewSoon(): void {
    if (this.#renewal !== undefined || this.#isClosed) return
    this.#renewal = this.#clock.after(this.#begunAt + RENEW_MS - this.#clock.now(), () => {
      this.#renewal = undefined
      const before = this.#redis
      this.#redis = connectionOf(this.#target, this.#tls, nodesOf(before))
      this.#begin(this.#redis)
      discard(before)
    })
  }
}

/** The library's error for a command that was not answered in time. */
const TIMED_OUT = 'Command timed out'

const isRefusal = (error: unknown) => error instanceof Error && /^(?:WRONGTYPE|ERR) /.test(error.message)

/** Each node may take its whole time before the next one is asked. */
const connectPatienceMs = ({ mode, nodes }: RedisTarget) =>
  3 * CONNECT_MS + (mode === 'single' ? 0 : nodes.length * (CONNECT_MS + SENTINEL_MS))

/** The last known nodes of the cluster: those of the configuration may be gone. */
const nodesOf = (redis: Redis | Cluster) =>
  redis instanceof Cluster ? redis.nodes('all').map(({ options: { host = '', port = 6379 } }) => ({ host, port })) : []

/** Twice: a connection that is being made subscribes to the sentinels only once it is ready, and then ends. */
function discard(redis: Redis | Cluster): void {
  redis.once('end', () => redis.disconnect())
  redis.disconnect()
}
