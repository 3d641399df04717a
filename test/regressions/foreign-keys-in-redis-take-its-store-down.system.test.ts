import { expect, type TestContext, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { ask, problemOf } from '../support/client.ts'
import { needs } from '../support/needs.ts'
import { startProxy } from '../support/proxy.ts'
import { hasRedis, type RedisServer, startCluster, startRedis } from '../support/redis.ts'
import { until } from '../support/until.ts'

needs('redis-server', hasRedis)

const FOREIGN_KEYS = 100_000
/** As make-video's own manager writes it. */
const THEIRS = JSON.stringify({
  stage: 's',
  progress: 0.5,
  completed_items: 1,
  total_items: 2,
  item_ids: ['a'],
  metadata: {},
  timestamp: '2026-02-14T10:00:00',
})

async function sidecar(t: TestContext, store: string) {
  const proxy = await startProxy(t, {
    clock: systemClock,
    top: { checkpoints: { store } },
    upstreams: { web: { url: 'http://127.0.0.1:9' } },
  })
  const api = `${proxy.controlUrl}/v1`
  const append = (job: string) =>
    ask(`${api}/checkpoints/${job}/items`, { method: 'POST', body: '{"stage":"s","item_ids":["a"]}' })
  const progress = async (query = '') => {
    const answer = await ask(`${api}/progress${query}`)
    expect(answer.status).toBe(200)
    const { jobs, next_cursor } = JSON.parse(answer.body.toString())
    return { jobs: jobs.map(({ job_id }: { job_id: string }) => job_id), next: next_cursor }
  }
  return { proxy, api, append, progress }
}

const scansOf = async (redis: RedisServer) =>
  Number(/cmdstat_scan:calls=(\d+)/.exec(String(await redis.command('INFO', 'commandstats')))?.[1] ?? 0)

test.runIf(hasRedis)(
  'Redis: lists scan no foreign keys; records of other programs come in by themselves',
  async (t) => {
    const redis = await startRedis(t, { config: ['--enable-debug-command', 'yes'] })
    await redis.command('DEBUG', 'POPULATE', FOREIGN_KEYS)
    for (const job of ['theirs-2', 'theirs-1'])
      await redis.command('SET', `checkpoint:granular:${job}`, THEIRS, 'PX', 3_600_000)
    // Another sidecar looks for them now.
    await redis.command('SET', 'breakwater:{index}:scan', '1')
    const { append, progress } = await sidecar(t, `redis://127.0.0.1:${redis.port}`)
    for (const job of ['b', 'c', 'a']) expect((await append(job)).status).toBe(201)
    expect(await progress()).toEqual({ jobs: ['a', 'b', 'c'], next: null })
    expect(await progress('?limit=2')).toEqual({ jobs: ['a', 'b'], next: 'b' })
    expect(await progress('?limit=2&cursor=b')).toEqual({ jobs: ['c'], next: null })
    expect(await scansOf(redis)).toBe(0)

    await redis.command('DEL', 'breakwater:{index}:scan')
    const other = await sidecar(t, `redis://127.0.0.1:${redis.port}`)
    await until(async () => (await other.progress()).jobs.length === 5)
    expect(await progress()).toEqual({ jobs: ['a', 'b', 'c', 'theirs-1', 'theirs-2'], next: null })
    await redis.command('DEL', 'checkpoint:granular:b')
    expect((await ask(`${other.api}/checkpoints/theirs-1`, { method: 'DELETE' })).status).toBe(204)
    expect(await progress()).toEqual({ jobs: ['a', 'c', 'theirs-2'], next: null })
  },
)

test.runIf(hasRedis)('Redis Cluster: lists are made from the index, too', async (t) => {
  const nodes = await startCluster(t)
  const { append, progress, api } = await sidecar(t, `redis+cluster://127.0.0.1:${nodes[0]?.port}`)
  await until(async () => (await append('film-0')).status < 300)
  for (let i = 1; i < 9; i += 1) expect((await append(`film-${i}`)).status).toBe(201)
  expect(await progress('?limit=3&cursor=film-1')).toEqual({ jobs: ['film-2', 'film-3', 'film-4'], next: 'film-4' })
  expect((await ask(`${api}/checkpoints/film-8`, { method: 'DELETE' })).status).toBe(204)
  expect((await progress('?cursor=film-6')).jobs).toEqual(['film-7'])
})

test.runIf(hasRedis)('Redis: a full one reads, lists and deletes; it is down until it writes again', async (t) => {
  const redis = await startRedis(t)
  const { proxy, api, append } = await sidecar(t, `redis://127.0.0.1:${redis.port}`)
  expect((await append('ours')).status).toBe(201)
  await redis.command('SET', 'checkpoint:granular:theirs', THEIRS, 'PX', 3_600_000)
  await redis.command('CONFIG', 'SET', 'maxmemory', '1')
  const get = async (path: string) => (await ask(`${api}${path}`)).status
  for (let i = 0; i < 20; i += 1) {
    const refused = await append('ours')
    expect([refused.status, problemOf(refused).detail]).toEqual([503, expect.stringContaining('OOM')])
    expect(await get('/checkpoints/theirs')).toBe(200)
  }
  expect([await get('/checkpoints/ours'), await get('/checkpoints'), await get('/progress')]).toEqual([200, 200, 200])
  expect(await proxy.sample('storeUp')).toBe(0)
  expect(proxy.log.filter(({ msg }) => msg === 'checkpoint store down')).toHaveLength(1)
  expect((await ask(`${api}/checkpoints/theirs`, { method: 'DELETE' })).status).toBe(204)
  expect(await get('/checkpoints/theirs')).toBe(404)
  await redis.command('CONFIG', 'SET', 'maxmemory', '0')
  await until(async () => (await proxy.sample('storeUp')) === 1)
  expect((await append('ours')).status).toBe(200)
})

test.runIf(hasRedis)('Redis: one that may evict keys is warned of, in the log and in /health', async (t) => {
  const redis = await startRedis(t, { config: ['--maxmemory', '100mb', '--maxmemory-policy', 'allkeys-lru'] })
  const { proxy } = await sidecar(t, `redis://127.0.0.1:${redis.port}`)
  const line = await proxy.logged(({ msg }) => msg === 'checkpoint store may lose records')
  expect(line).toMatchObject({ level: 'warn', why: expect.stringContaining('allkeys-lru') })
  const health = JSON.parse((await ask(`${proxy.controlUrl}/health`)).body.toString())
  expect(health.checks.checkpoint_store).toMatchObject({
    healthy: true,
    details: expect.stringContaining('allkeys-lru'),
  })
  await redis.command('ACL', 'SETUSER', 'few', 'on', '>secret', '~*', '&*', '+@all', '-info')
  const limited = await sidecar(t, `redis://few:secret@127.0.0.1:${redis.port}`)
  const unknown = await limited.proxy.logged(({ msg }) => msg === 'checkpoint store may lose records')
  expect(unknown.why).toContain('ACL forbids INFO')
})
