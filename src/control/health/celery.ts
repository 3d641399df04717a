/**
 * Asks Celery's workers for their tasks over their Redis broker, by the control protocol of celery and kombu (pidbox) as in
 * Debian's celery 5.2 and kombu 5.2. A broadcast goes to a channel that every worker subscribes to; each answers into a list
 * that the asker names.
 */

import type { RedisClient } from '../../checkpoint/redis/client.ts'
import type { Clock } from '../../clock.ts'

export type CelerySettings = {
  /** Database number of the broker, which is part of the channel's name. */
  readonly db: number
  /** Time in ms for the workers to answer. */
  readonly timeoutMs: number
}

const EXCHANGE = 'celery.pidbox'
const REPLY_EXCHANGE = `reply.${EXCHANGE}`
const BINDINGS = `_kombu.binding.${REPLY_EXCHANGE}`
/** Separator of routing key, pattern and queue in a binding. */
const SEPARATOR = '\x06\x16'
const POLL_MS = 20
/** Expiry of the reply list, so that late answers do not stay. */
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
    const summary = `${tasks.length} worker(s), ${active} active task(s)`
    return silent > 0 ? `${summary}, ${silent} worker(s) silent` : summary
  } finally {
    await redis.ask((client) => client.srem(BINDINGS, binding))
    await redis.ask((client) => client.expire(queue, REPLIES_LIVE_S))
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
