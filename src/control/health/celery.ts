/**
 * Asks Celery's workers for their tasks over their Redis broker, by the control protocol of celery and kombu (pidbox) as in
 * Debian's celery 5.2 and kombu 5.2. A broadcast goes to a channel that every worker subscribes to; each answers into a list
 * that the asker names. A worker of --pool=solo answers between its tasks only, and one without remote control never does.
 */

import type { RedisClient } from '../../checkpoint/redis/client.ts'
import type { Clock } from '../../clock.ts'

export type CelerySettings = {
  /** Database number of the broker, which is part of the channel's name. */
  readonly db: number
  /** Time in ms for the workers to answer. */
  readonly timeoutMs: number
  /** `global_keyprefix` of the workers' transport options; '' for none. */
  readonly keyPrefix: string
  /** Queues whose waiting tasks are counted. */
  readonly queues: readonly string[]
  /** Time in ms for which workers may be silent: longer than their longest task. */
  readonly busyForMs: number
}

const EXCHANGE = 'celery.pidbox'
const REPLY_EXCHANGE = `reply.${EXCHANGE}`
const BINDINGS = `_kombu.binding.${REPLY_EXCHANGE}`
/** Separator of routing key, pattern and queue in a binding; of queue and priority in a list's name. */
const SEPARATOR = '\x06\x16'
/** Priorities that kombu keeps in lists of their own. */
const PRIORITIES = [3, 6, 9]
const POLL_MS = 20
/** Expiry of the reply list, so that late answers do not stay. */
const REPLIES_LIVE_S = 10

const inWords = (ms: number) => (ms < 120_000 ? `${ms / 1_000}s` : `${Math.floor(ms / 60_000)} min`)

/** Checks the workers of one broker. Remembers since when they have been silent. */
export class CeleryHealth {
  readonly #redis: RedisClient
  readonly #settings: CelerySettings
  readonly #newId: () => string
  readonly #clock: Clock
  #silentSince: number | undefined

  constructor(redis: RedisClient, settings: CelerySettings, newId: () => string, clock: Clock) {
    this.#redis = redis
    this.#settings = settings
    this.#newId = newId
    this.#clock = clock
  }

  /** @returns e.g. `2 worker(s), 3 active task(s)`; rejects when there is no worker, or none has answered for too long. */
  async look(): Promise<string> {
    const { keyPrefix, timeoutMs } = this.#settings
    const [oid, ticket] = [this.#newId(), this.#newId()]
    const queue = `${oid}.${REPLY_EXCHANGE}`
    const binding = [oid, '', queue].join(SEPARATOR)
    await this.#redis.ask((client) => client.sadd(`${keyPrefix}${BINDINGS}`, binding))
    try {
      const message = broadcast('active', ticket, oid, this.#newId())
      const workers = await this.#redis.ask((client) => client.publish(this.#channel, message))
      const waiting = await this.#waiting()
      if (workers === 0) return await this.#unasked(waiting)
      const tasks = await replies(this.#redis, `${keyPrefix}${queue}`, workers, timeoutMs, this.#clock)
      return tasks.length === 0 ? this.#silent(workers, waiting) : this.#answered(workers, tasks, waiting)
    } finally {
      await this.#redis.ask((client) => client.srem(`${keyPrefix}${BINDINGS}`, binding))
      await this.#redis.ask((client) => client.expire(`${keyPrefix}${queue}`, REPLIES_LIVE_S))
    }
  }

  get #channel(): string {
    return `${this.#settings.keyPrefix}/${this.#settings.db}.${EXCHANGE}`
  }

  #answered(workers: number, tasks: readonly number[], waiting: string): string {
    this.#silentSince = undefined
    const active = tasks.reduce((sum, one) => sum + one, 0)
    const silent = workers - tasks.length
    const summary = `${tasks.length} worker(s), ${active} active task(s)`
    return `${summary}${silent > 0 ? `, ${silent} worker(s) silent` : ''}${waiting}`
  }

  /** Workers that listen and do not answer are busy, or stuck: only time tells. */
  #silent(workers: number, waiting: string): string {
    const { timeoutMs, busyForMs } = this.#settings
    this.#silentSince ??= this.#clock.now()
    const silentMs = this.#clock.now() - this.#silentSince
    if (silentMs >= busyForMs) {
      const how =
        busyForMs === 0 ? `answered within ${inWords(timeoutMs)}` : `has answered for ${inWords(busyForMs)} (busyFor)`
      throw new Error(`none of ${workers} worker(s) ${how}${waiting}`)
    }
    const since = silentMs < 1_000 ? '' : ` for ${inWords(Math.floor(silentMs / 1_000) * 1_000)}`
    return `${workers} worker(s), busy: none has answered${since}, as with --pool=solo while a task runs${waiting}`
  }

  /**
   * No worker can be asked. One without remote control, or with another key prefix, is known by the connection on which it
   * takes tasks: the last command there is BRPOP, also while a task runs.
   */
  async #unasked(waiting: string): Promise<string> {
    this.#silentSince = undefined
    const { db, busyForMs } = this.#settings
    const takers = await this.#takers(db)
    if (takers === undefined)
      throw new Error(
        `no worker listens on ${this.#channel}; the Redis user may not ask CLIENT LIST for workers without remote control${waiting}`,
      )
    const idleMs = Math.min(...takers)
    if (takers.length === 0) throw new Error(`no workers${waiting}`)
    const what = `unknown: no worker listens on ${this.#channel}, ${takers.length} connection(s) take tasks: workers without remote control, or with another health.celery.keyPrefix${waiting}`
    if (busyForMs > 0 && idleMs >= busyForMs)
      throw new Error(`${what}; none has asked for one in ${inWords(busyForMs)} (busyFor)`)
    return what
  }

  /** Time in ms since each connection that takes tasks last asked for one; undefined when the server does not tell. */
  async #takers(db: number): Promise<number[] | undefined> {
    try {
      const clients = String(await this.#redis.ask((client) => client.call('CLIENT', 'LIST')))
      const ours = clients.split('\n').filter((line) => / cmd=brpop /.test(line) && line.includes(` db=${db} `))
      return ours.map((line) => Number(/ idle=(\d+) /.exec(line)?.[1] ?? 0) * 1_000)
    } catch (error) {
      if (error instanceof Error && /NOPERM|unknown command/i.test(error.message)) return undefined
      throw error
    }
  }

  /** Tasks that no worker has taken, of all priorities. */
  async #waiting(): Promise<string> {
    const { keyPrefix, queues } = this.#settings
    if (queues.length === 0) return ''
    const lists = queues.flatMap((name) => [name, ...PRIORITIES.map((priority) => `${name}${SEPARATOR}${priority}`)])
    const lengths = await Promise.all(
      lists.map((list) => this.#redis.ask((client) => client.llen(`${keyPrefix}${list}`))),
    )
    return `, ${lengths.reduce((sum, one) => sum + one, 0)} task(s) waiting`
  }
}

/** Active tasks of each worker that answers in time. */
async function replies(redis: RedisClient, queue: string, workers: number, timeoutMs: number, clock: Clock) {
  const until = clock.now() + timeoutMs
  const tasks: number[] = []
  for (;;) {
    const reply = await redis.ask((client) => client.rpop(queue))
    if (reply !== null) tasks.push(activeIn(reply))
    if (tasks.length >= workers || clock.now() >= until) return tasks
    if (reply === null) await new Promise<void>((resolve) => clock.after(POLL_MS, resolve))
  }
}

/** A message as kombu sends it on a Redis channel: an envelope with the body in base64. */
function broadcast(method: string, ticket: string, oid: string, tag: string): string {
  const replyTo = { exchange: REPLY_EXCHANGE, routing_key: oid }
  const call = { method, arguments: {}, destination: null, pattern: null, matcher: null, ticket, reply_to: replyTo }
  return JSON.stringify({
    body: Buffer.from(JSON.stringify(call)).toString('base64'),
    'content-encoding': 'utf-8',
    'content-type': 'application/json',
    headers: { clock: 1 },
    properties: {
      delivery_mode: 1,
      delivery_info: { exchange: EXCHANGE, routing_key: '' },
      priority: 0,
      body_encoding: 'base64',
      delivery_tag: tag,
    },
  })
}

/** Reads a reply: `{"celery@host": [task, …]}` in such an envelope. Anything else counts as no task. */
function activeIn(text: string): number {
  const envelope: { body: string } = JSON.parse(text)
  const body: unknown = JSON.parse(Buffer.from(envelope.body, 'base64').toString())
  const [tasks] = typeof body === 'object' && body !== null ? Object.values(body) : []
  return Array.isArray(tasks) ? tasks.length : 0
}
