import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { describe, expect, type TestContext, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { openStore } from '../../src/checkpoint/open.ts'
import { storePlace } from '../../src/checkpoint/place.ts'
import { RedisClient } from '../../src/checkpoint/redis/client.ts'
import { CeleryHealth } from '../../src/control/health/celery.ts'
import { Fleet } from '../../src/fleet/fleet.ts'
import { lookAtRedis } from '../../src/control/health/redis.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { needs } from '../support/needs.ts'
import { hasRedis, type RedisServer, startCluster, startRedis } from '../support/redis.ts'
import { until } from '../support/until.ts'
import { ALWAYS, checkpoint, SETTINGS, storeContract, NO_TLS } from './store-contract.ts'

needs('redis-server', hasRedis)

const PAGE = readFileSync(join(import.meta.dirname, '../../docs/redis-acl.md'), 'utf8')
/** The words after `ACL SETUSER breakwater`, by the heading above them. */
const RULES = new Map(
  [...PAGE.matchAll(/^## (.+)\n\n```\nACL SETUSER breakwater ([\s\S]*?)```/gm)].map(([, heading = '', words = '']) => [
    heading.replaceAll('`', ''),
    words.trim().split(/\s+/),
  ]),
)
const rulesOf = (...headings: string[]) => headings.flatMap((heading) => RULES.get(heading) ?? [])
const commandsIn = (rules: readonly string[]) =>
  rules
    .filter((word) => word.startsWith('+'))
    .map((word) => word.slice(1))
    .sort()

const admit = (redis: RedisServer, rules: readonly string[]) =>
  redis.command('ACL', 'SETUSER', 'breakwater', ...rules, 'resetpass', '>secret')

/** Commands that the server counted, without the test's own and those that need no permission (HELLO, AUTH). */
async function countedBy(redis: RedisServer): Promise<string[]> {
  const own = new Set(['acl|setuser', 'auth', 'client|kill', 'config|resetstat', 'hello', 'subscribe'])
  const told = String(await redis.command('INFO', 'commandstats'))
  return [...told.matchAll(/cmdstat_([^:]+):calls/g)].map(([, name = '']) => name).filter((name) => !own.has(name))
}

const deniedBy = async (redis: RedisServer) => JSON.stringify(await redis.command('ACL', 'LOG'))

async function open(t: TestContext, url: string) {
  const place = storePlace(url)
  if (place?.kind !== 'redis') throw new Error(`${url} is no Redis`)
  const store = await openStore(place, SETTINGS, NO_TLS, systemClock)
  t.onTestFinished(() => store.close())
  return { store, target: place.target }
}

/** Calls every store operation, and every branch of its scripts that uses another Redis command. */
async function useAll({ store }: Awaited<ReturnType<typeof open>>, leaveWithoutEnd: (job: string) => Promise<unknown>) {
  const append = (stage: string, id: string) => ({ stage, itemIds: [id], totalItems: undefined, metadata: undefined })
  await store.save('j', checkpoint('first', ['a']), ALWAYS)
  await store.append('j', append('second', 'b'), ALWAYS)
  await store.load('j', 'first')
  await store.stages('j')
  await leaveWithoutEnd('foreign')
  await store.load('foreign', undefined)
  await store.list(undefined, 10, undefined)
  await store.list('first', 10, undefined, true)
  await store.progress(10, undefined)
  await store.registerJob({ id: 'job', totalMs: 1, inputs: {} })
  await store.findJob('job')
  await store.jobs()
  await store.removeJob('job')
  await store.probe('value')
  await store.clear('j', ALWAYS)
}

describe.runIf(hasRedis)('docs/redis-acl.md', () => {
  storeContract('a Redis store whose user has only the permissions of docs/redis-acl.md', async (t) => {
    const redis = await startRedis(t)
    await admit(redis, rulesOf('checkpoints.store'))
    const { store } = await open(t, `redis://breakwater:secret@127.0.0.1:${redis.port}/3`)
    return { store, clock: fakeClock() }
  })

  test('redis-acl: store and health checks use exactly the commands that the page allows', async (t) => {
    const redis = await startRedis(t)
    const rules = rulesOf('checkpoints.store', 'health.redis', 'health.celery.broker')
    await admit(redis, rules)
    const worker = new Redis({ port: redis.port, host: '127.0.0.1', enableReadyCheck: false })
    t.onTestFinished(() => worker.disconnect())
    await worker.subscribe('/3.celery.pidbox')
    await redis.command('CONFIG', 'RESETSTAT')
    const opened = await open(t, `redis://breakwater:secret@127.0.0.1:${redis.port}/3`)
    const foreign = new Redis({ port: redis.port, host: '127.0.0.1', db: 3 })
    t.onTestFinished(() => foreign.disconnect())
    await useAll(opened, (job) => foreign.set(`checkpoint:granular:${job}`, JSON.stringify(checkpoint('first', ['a']))))
    // The search for records of other programs is over: its lease is kept for the rest.
    await until(async () => (await foreign.pttl('breakwater:{index}:scan')) > 30_000)
    const client = new RedisClient(opened.target, NO_TLS, systemClock)
    t.onTestFinished(() => client.close())
    client.connect()
    expect(await lookAtRedis(client, 'value')).toBe('PING, SET and GET ok')
    const settings = { db: 3, timeoutMs: 50, keyPrefix: '', queues: ['celery'], busyForMs: 0 }
    const workers = new CeleryHealth(client, settings, () => 'an-id', systemClock)
    await expect(workers.look()).rejects.toThrow('none of 1 worker(s) answered')
    worker.disconnect()
    await redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await expect(workers.look()).rejects.toThrow('no workers, 0 task(s) waiting')
    expect(await deniedBy(redis)).toBe('[]')
    expect((await countedBy(redis)).filter((name) => !name.startsWith('acl|')).sort()).toEqual(commandsIn(rules))
  })

  test('redis-acl: a fleet uses exactly the commands that the page allows', async (t) => {
    const redis = await startRedis(t)
    const rules = rulesOf('fleet.redis')
    await admit(redis, rules)
    await redis.command('CONFIG', 'RESETSTAT')
    const place = storePlace(`redis://breakwater:secret@127.0.0.1:${redis.port}/3`)
    if (place?.kind !== 'redis') throw new Error('no Redis')
    const { target } = place
    const heard: string[] = []
    const member = (id: string) => {
      const deps = { clock: systemClock, random: Math.random, newId: () => id, emit: () => {}, isDraining: () => false }
      const settings = { redis: target, name: 'acl', pods: 2, tls: NO_TLS, host: id }
      const fleet = new Fleet(settings, ({ kind }) => heard.push(kind), deps)
      fleet.begin()
      t.onTestFinished(() => fleet.close())
      return fleet
    }
    const [a, b] = [member('a'), member('b')]
    await until(async () => a.pods() === 2 && b.pods() === 2)
    const answer = <R>(ask: (answered: (value: R) => void) => void) => new Promise<R>((resolve) => ask(resolve))
    const turns = (want: number, used: string[], returned: string[]) =>
      answer((answered) =>
        a.turns(
          {
            upstream: 'web',
            rate: { requests: 1, perMs: 60_000, burst: 1 },
            want,
            aheadMs: 100,
            used: used.map((id) => ({ id, at: systemClock.now() })),
            returned,
          },
          answered,
        ),
      )
    await turns(5, [], [])
    await turns(5, ['1'], [])
    await turns(0, [], ['2'])
    const permits = (fleet: Fleet, have: number, want: number) =>
      answer((answered) => fleet.permits({ key: 'gpu', limit: 1, have, want }, answered))
    await permits(a, 0, 1)
    await permits(b, 0, 1)
    await permits(a, 0, 0)
    await permits(b, 0, 1)
    const probe = (fleet: Fleet, ms: number) => answer((answered) => fleet.probe({ key: 'web', ms }, answered))
    await probe(a, 1_000)
    await probe(b, 1_000)
    await probe(a, 0)
    a.tell({ kind: 'pause', upstream: 'web', group: '/', ms: 5 })
    await until(async () => heard.includes('pause'))
    expect([(await a.members()).length, (await a.holders('gpu')).length]).toEqual([2, 1])
    await b.close()
    expect(await deniedBy(redis)).toBe('[]')
    const counted = (await countedBy(redis)).filter((name) => !name.startsWith('acl|')).sort()
    expect([...counted, 'subscribe'].sort()).toEqual(commandsIn(rules))
  })

  test('redis-acl: a cluster also uses the commands of its section, and no others', async (t) => {
    const nodes = await startCluster(t)
    const rules = rulesOf('checkpoints.store', 'Redis Cluster')
    for (const node of nodes) await admit(node, rules)
    for (const node of nodes) await node.command('CONFIG', 'RESETSTAT')
    const opened = await open(t, `redis+cluster://breakwater:secret@127.0.0.1:${nodes[0]?.port}`)
    await until(async () => {
      const asked = await opened.store.load('none', undefined).catch((error: Error) => error)
      return !(asked instanceof Error)
    })
    await useAll(opened, async () => {})
    for (const node of nodes) expect(await deniedBy(node)).toBe('[]')
    const counted = new Set((await Promise.all(nodes.map(countedBy))).flat())
    for (const name of commandsIn(rulesOf('Redis Cluster'))) expect(counted).toContain(name)
    expect([...counted].filter((name) => !name.startsWith('acl|') && !commandsIn(rules).includes(name))).toEqual([])
  })
})
