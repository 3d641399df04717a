/** Makes the checks of the health report from the configuration. */

import { checkName } from '../../config/names.ts'
import type { Config } from '../../config/schema.ts'
import type { RedisTarget } from '../../checkpoint/place.ts'
import type { RedisClient } from '../../checkpoint/redis/client.ts'
import type { CheckpointStore } from '../../checkpoint/store.ts'
import type { Clock } from '../../clock.ts'
import { readTls, type TlsTexts } from '../../net/tls/files.ts'
import { CeleryHealth } from './celery.ts'
import { lookAtDisk } from './disk.ts'
import { lookAtRedis } from './redis.ts'
import type { Check } from './report.ts'
import type { Watched } from './early-probes.ts'
import { lookAtEndpoints, UpstreamHealth, type UpstreamHealthSettings } from './upstream.ts'

export type UpstreamLooks = {
  /** By settings: checks with the same settings share their last answer. */
  readonly known: ReadonlyMap<string, UpstreamHealth>
  /** By upstream, one per endpoint. */
  readonly all: ReadonlyMap<string, readonly UpstreamHealth[]>
  /** Those that have a health path. */
  readonly watched: readonly Watched[]
}

export function upstreamHealth(
  { upstreams }: Config,
  before: UpstreamLooks['known'],
  readText: (path: string) => string,
  clock: Clock,
): UpstreamLooks {
  const known = new Map<string, UpstreamHealth>()
  const lookFor = (settings: UpstreamHealthSettings) => {
    const key = JSON.stringify(settings)
    const look = before.get(key) ?? new UpstreamHealth(settings, clock)
    known.set(key, look)
    return look
  }
  const all = upstreams.map(({ name, urls, health, tls }) => {
    const { path, timeoutMs, intervalMs } = health
    const textOf = (path: string) => (path === '' ? '' : readText(path))
    const [ca, cert, key] = [textOf(tls.ca), textOf(tls.cert), textOf(tls.key)]
    const { servername } = tls
    const looks = urls.map((url) => lookFor({ url, path, timeoutMs, intervalMs, ca, servername, cert, key }))
    return { name, path, intervalMs, looks }
  })
  return {
    known,
    all: new Map(all.map(({ name, looks }) => [name, looks])),
    watched: all
      .filter(({ path }) => path !== undefined)
      .flatMap(({ name, intervalMs, looks }) =>
        looks.map((health) => ({ upstream: name, origin: health.origin, health, intervalMs })),
      ),
  }
}

/** Connections of the checks by their target. */
export type RedisClients = ReadonlyMap<string, RedisClient>

/**
 * @param before existing connections; those that are still needed are reused.
 * @param readText of a file that the configuration names; throws when it cannot be read.
 */
export async function healthChecks(
  { health, upstreams }: Config,
  store: CheckpointStore,
  looks: UpstreamLooks['all'],
  before: RedisClients,
  readText: (path: string) => string,
  { clock, newId }: { readonly clock: Clock; readonly newId: () => string },
): Promise<{ readonly list: readonly Check[]; readonly clients: RedisClients }> {
  const clients = new Map<string, RedisClient>()
  const connected = async (purpose: string, target: RedisTarget, tls: TlsTexts) => {
    const key = JSON.stringify([purpose, target, tls])
    const client = before.get(key) ?? (await opened(target, tls, clock))
    clients.set(key, client)
    return client
  }
  const check = (
    name: string,
    look: () => Promise<string>,
    limitMs = health.timeout,
    isTimed = true,
    isUnasked = false,
  ): Check => ({
    name,
    critical: health.critical.includes(name),
    limitMs,
    isTimed,
    isUnasked,
    look,
  })
  const list = [
    check('checkpoint_store', () => lookAtStore(store, newId())),
    check('disk_space', () => lookAtDisk(health.disk), health.timeout, false),
    ...upstreams.map((upstream) => {
      const endpoints = looks.get(upstream.name) ?? []
      const { path, timeoutMs } = upstream.health
      return check(checkName(upstream), () => lookAtEndpoints(endpoints), timeoutMs, true, path === undefined)
    }),
  ]
  if (health.redis) {
    const redis = await connected('redis', health.redis, readTls('health.tls', health.tls, readText))
    list.push(check('redis', () => lookAtRedis(redis, newId())))
  }
  if (health.celery.broker) {
    const tls = readTls('health.celery.tls', health.celery.tls, readText)
    const broker = await connected('celery', health.celery.broker, tls)
    const { timeout: timeoutMs, busyFor: busyForMs, keyPrefix, queues } = health.celery
    const settings = { db: health.celery.broker.db, timeoutMs, busyForMs, keyPrefix, queues }
    const workers = new CeleryHealth(broker, settings, newId, clock)
    // The limit is for the broker. The workers have their own time within it.
    list.push(check('celery_workers', () => workers.look(), timeoutMs + health.timeout))
  }
  return { list, clients }
}

async function opened(target: RedisTarget, tls: TlsTexts, clock: Clock): Promise<RedisClient> {
  const { RedisClient } = await import('../../checkpoint/redis/client.ts')
  const client = new RedisClient(target, tls, clock)
  client.connect()
  return client
}

/** @param value that no other sidecar uses, since several may check one store at once. */
async function lookAtStore(store: CheckpointStore, value: string): Promise<string> {
  if (!(await store.probe(value))) throw new Error('what was written was not read back')
  const risk = store.risk()
  return risk === undefined ? 'write, read and delete ok' : `write, read and delete ok; ${risk}`
}
