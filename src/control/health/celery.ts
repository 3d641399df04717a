/**
 * Asks Celery's workers what they are doing, over their Redis broker: the control protocol of celery and kombu (pidbox), as
 * Debian's celery 5.2 and kombu 5.2 speak it. A broadcast goes out on a channel that every worker is subscribed to; each
 * one answers into a list that the asker has named.
 */

import type { RedisClient } from '../../checkpoint/redis/client.ts'
import type { Clock } from '../../clock.ts'

export type CelerySettings = {
  /** Database number of the broker: part of the channel's name. */
  readonly db: number
  /** For the workers to answer, in ms. */
  readonly timeoutMs: number
}

const EXCHANGE = 'celery.pidbox'
const REPLY_EXCHANGE = `reply.${EXCHANGE}`
const BINDINGS = `_kombu.binding.${REPLY_EXCHANGE}`
/** Between routing key, pattern and queue of a binding. */
const SEPARATOR = '\x06\x16'
const POLL_MS = 20
/** What a late worker answers is not left lying. */
const REPLIES_LIVE_S = 10

/** @returns e.g. `2 worker(s), 3 active task(s)`; rejects when no worker answers. */
export async function lookAtCelery(
  redis: RedisClient,
  { db, timeoutMs }: CelerySettings,
  newId: () => string,
  clock: Clock,
): Promise<string> {
  const [oid, ticket] = [newId(), newId()]
  const queue = `${oid}.${REPLY_EXCHANGE}`
  const binding = [oid, '', queue].join(SEPARATOR)
  await redis.ask((client) => client.sadd(BINDINGS, binding))
  try {
    const message = broadcast('active', ticket, oid, newId())
    const workers = await redis.ask((client) => client.publish(`/${db}.${EXCHANGE}`, message))
    if (workers === 0) throw new Error('no workers')
    const tasks = await replies(redis, queue, workers, timeoutMs, clock)
    const active = tasks.reduce((sum, one) => sum + one, 0)
    if (tasks.length === 0) throw new Error(`none of ${workers} worker(s) answered within ${timeoutMs / 1000}s`)
    const silent = workers - tasks.length
    const told = `${tasks.length} worker(s), ${active} active task(s)`
    return silent > 0 ? `${told}, ${silent} worker(s) silent` : told
  } finally {
    await redis.ask((client) => client.srem(BINDINGS, binding))
    await redis.ask((client) => client.expire(queue, REPLIES_LIVE_S))
  }
}

/** The active tasks of each worker that answers in time. */
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

/** As kombu puts a message on a Redis channel: an envelope with the body in base64. */
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

/** A reply is `{"celery@host": [task, …]}` in such an envelope; what else it may be counts as no task. */
function activeIn(text: string): number {
  const envelope: { body: string } = JSON.parse(text)
  const body: unknown = JSON.parse(Buffer.from(envelope.body, 'base64').toString())
  const [tasks] = typeof body === 'object' && body !== null ? Object.values(body) : []
  return Array.isArray(tasks) ? tasks.length : 0
}
