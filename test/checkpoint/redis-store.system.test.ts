import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, type TestContext, test } from 'vitest'
import { openStore } from '../../src/checkpoint/open.ts'
import { storePlace } from '../../src/checkpoint/place.ts'
import type { CheckpointStore, StoreSettings } from '../../src/checkpoint/store.ts'
import { systemClock } from '../../src/clock.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { needs } from '../support/needs.ts'
import { freePort } from '../support/ports.ts'
import { hasRedis, startCluster, startRedis, startSentinel } from '../support/redis.ts'
import { until } from '../support/until.ts'
import { ALWAYS, checkpoint, SETTINGS, storeContract, NO_TLS } from './store-contract.ts'

const TLS_FOLDER = join(import.meta.dirname, '../fixtures/tls')
const PLAIN = NO_TLS

async function open(
  t: TestContext,
  url: string,
  settings: StoreSettings = SETTINGS,
  tls = PLAIN,
): Promise<CheckpointStore> {
  const place = storePlace(url)
  if (place === undefined) throw new Error(`${url} is no place`)
  const store = await openStore(place, settings, tls, systemClock)
  t.onTestFinished(() => store.close())
  return store
}

const append = (...itemIds: string[]) => ({ stage: 's', itemIds, totalItems: undefined, metadata: undefined })

/** Runs `act`; returns its duration in ms, and its result or error. */
async function timed<R>(act: () => Promise<R>): Promise<{ ms: number; result: R | Error }> {
  const startedAt = performance.now()
  const result = await act().catch((error: Error) => error)
  return { ms: performance.now() - startedAt, result }
}

/** Waits until a load succeeds. */
const recovered = (store: CheckpointStore) =>
  until(async () => !((await timed(() => store.load('none', undefined))).result instanceof Error))

needs('redis-server', hasRedis)

describe.runIf(hasRedis)('Redis', () => {
  storeContract('the Redis store', async (t) => {
    const { port } = await startRedis(t)
    return { store: await open(t, `redis://127.0.0.1:${port}/3`), clock: fakeClock() }
  })

  test('Redis store: reads what the existing service wrote; its later write changes the revision', async (t) => {
    const redis = await startRedis(t)
    const store = await open(t, `redis://127.0.0.1:${redis.port}`)
    const theirs = {
      stage: 'downloading_shorts',
      progress: 0.2,
      completed_items: 2,
      total_items: 10,
      item_ids: ['vid-ü', 'b"\\'],
      metadata: { download_method: 'batch', empty: [], nothing: {}, big: 12345678901234567n.toString() },
      timestamp: '2026-02-14T10:00:00.123456-03:00',
    }
    // As Python's json.dumps writes it: spaces, and everything outside ASCII escaped.
    const text = JSON.stringify(theirs).replaceAll('":', '": ').replaceAll(',"', ', "').replace('ü', '\\u00fc')
    await redis.command('SET', 'checkpoint:granular:mv_1', text, 'EX', 86_400)
    const loaded = await store.load('mv_1', undefined)
    expect(loaded).toMatchObject({ checkpoint: theirs, revision: 1 })
    expect(loaded && loaded.expiresAt - Date.now()).toBeGreaterThan(86_000_000)

    const onTop = {
      stage: theirs.stage,
      itemIds: ['b"\\', 'c/ü', 'vid-ü'],
      totalItems: undefined,
      metadata: { size: 5, empty: [1] },
    }
    expect(await store.append('mv_1', onTop, { ...ALWAYS, ifMatch: 1 })).toMatchObject({ record: { revision: 2 } })
    expect((await store.load('mv_1', undefined))?.checkpoint).toMatchObject({
      item_ids: ['vid-ü', 'b"\\', 'c/ü'],
      completed_items: 3,
      progress: 0.3,
      metadata: { ...theirs.metadata, size: 5, empty: [1] },
    })

    await redis.command('SET', 'checkpoint:granular:mv_1', text)
    expect(await store.append('mv_1', append('x'), { ...ALWAYS, ifMatch: 2 })).toEqual({ outcome: 'mismatch' })
    expect(await store.load('mv_1', undefined)).toMatchObject({ revision: 3 })
    await redis.command('DEL', 'checkpoint:granular:mv_1')
    expect(await store.load('mv_1', undefined)).toBeUndefined()
    expect(await store.append('mv_1', append('x'), { ...ALWAYS, ifNoneMatch: '*' })).toMatchObject({ created: true })
  })

  test('Redis store: a record has exactly seven fields, and every key expires after the ttl', async (t) => {
    const redis = await startRedis(t)
    const store = await open(t, `redis://127.0.0.1:${redis.port}`)
    const SEVEN = ['stage', 'progress', 'completed_items', 'total_items', 'item_ids', 'metadata', 'timestamp']
    const fields = async () => Object.keys(JSON.parse(String(await redis.command('GET', 'checkpoint:granular:j'))))
    await store.save('j', checkpoint('s'), ALWAYS)
    expect(await fields()).toEqual(SEVEN)
    await store.append('j', append(), ALWAYS)
    expect(await fields()).toEqual(SEVEN)
    expect(JSON.parse(String(await redis.command('GET', 'checkpoint:granular:j')))).toMatchObject({
      item_ids: [],
      metadata: { source: 'test' },
    })
    for (const key of (await redis.command('KEYS', '*')) as string[]) {
      const left = Number(await redis.command('PTTL', key))
      expect([key, left > 50_000 && left <= 60_000]).toEqual([key, true])
    }
  })

  test('Redis store: a value that is no checkpoint is not loaded, and an append leaves it unchanged', async (t) => {
    const redis = await startRedis(t)
    const store = await open(t, `redis://127.0.0.1:${redis.port}`)
    for (const text of ['no json', '[]', '{"a":1}', '{"stage":7}', '']) {
      await redis.command('SET', 'checkpoint:granular:j', text)
      expect(await store.load('j', undefined)).toBeUndefined()
      expect(await store.append('j', append('a'), ALWAYS)).toEqual({ outcome: 'unreadable' })
      expect(await redis.command('GET', 'checkpoint:granular:j')).toBe(text)
    }
    expect(await store.save('j', checkpoint('s', ['a']), ALWAYS)).toMatchObject({ outcome: 'saved' })
    await redis.command('DEL', 'checkpoint:granular:j')
    await redis.command('LPUSH', 'checkpoint:granular:j', 'a list')
    for (let i = 0; i < 10; i += 1) expect(await store.load('j', undefined)).toBeUndefined()
    expect(await store.append('j', append('a'), ALWAYS)).toEqual({ outcome: 'unreadable' })
    expect(await redis.command('LRANGE', 'checkpoint:granular:j', 0, -1)).toEqual(['a list'])
    expect(await store.load('another', undefined)).toBeUndefined()
  })

  test('Redis store: a stopped server fails calls at once; restarted, it is used again', async (t) => {
    const redis = await startRedis(t)
    const store = await open(t, `redis://127.0.0.1:${redis.port}`)
    await store.append('j', append('a'), ALWAYS)
    await redis.stop()
    for (let i = 0; i < 50; i += 1) {
      const { ms, result } = await timed(() => store.append('j', append('b'), ALWAYS))
      expect([String(result), ms < 2_000]).toEqual([expect.stringContaining('Redis: '), true])
    }
    expect((await timed(() => store.load('j', undefined))).ms).toBeLessThan(50)
    await startRedis(t, { port: redis.port })
    await recovered(store)
    expect(await store.append('j', append('c'), ALWAYS)).toMatchObject({ outcome: 'saved' })
  })

  test('Redis store: while the server is stopped by SIGSTOP, 100 concurrent calls each fail within 2 s', async (t) => {
    const redis = await startRedis(t)
    const store = await open(t, `redis://127.0.0.1:${redis.port}`)
    await store.append('j', append('a'), ALWAYS)
    redis.process.kill('SIGSTOP')
    const all = await Promise.all(
      Array.from({ length: 100 }, () => timed(() => store.append('j', append('b'), ALWAYS))),
    )
    for (const { ms, result } of all) expect([result instanceof Error, ms < 2_000]).toEqual([true, true])
    expect((await timed(() => store.load('j', undefined))).ms).toBeLessThan(100)
    redis.process.kill('SIGCONT')
    await recovered(store)
    expect((await store.load('j', undefined))?.checkpoint.item_ids).toContain('a')
  })

  test('Redis store: connects to a server that starts after the store was opened', async (t) => {
    const port = await freePort()
    const store = await open(t, `redis://127.0.0.1:${port}`)
    await expect(store.load('j', undefined)).rejects.toThrow('ECONNREFUSED')
    await startRedis(t, { port })
    await recovered(store)
  })

  test('Redis store: authenticates with the password, and no error shows it', async (t) => {
    const password = 'pass/word@1'
    const redis = await startRedis(t, { password, config: ['--requirepass', password] })
    const secret = encodeURIComponent(password)
    const store = await open(t, `redis://:${secret}@127.0.0.1:${redis.port}`)
    expect(await store.append('j', append('a'), ALWAYS)).toMatchObject({ outcome: 'saved' })
    const wrong = await open(t, `redis://user:wrong-${secret}@127.0.0.1:${redis.port}`)
    const { result } = await timed(() => wrong.load('j', undefined))
    expect(String(result)).toMatch(/WRONGPASS|NOAUTH/)
    expect(String(result)).not.toContain(password)
  })

  test('Redis store: works over TLS with the given CA, and fails without it', async (t) => {
    const port = await freePort()
    const file = (name: string) => join(TLS_FOLDER, name)
    const config = [
      '--tls-port',
      `${port}`,
      '--tls-cert-file',
      file('server.pem'),
      '--tls-key-file',
      file('server.key'),
    ]
    await startRedis(t, { config: [...config, '--tls-ca-cert-file', file('ca.pem'), '--tls-auth-clients', 'no'] })
    const ca = readFileSync(file('ca.pem'), 'utf8')
    const store = await open(t, `rediss://127.0.0.1:${port}`, SETTINGS, { ...NO_TLS, ca, servername: 'web.internal' })
    expect(await store.append('j', append('a'), ALWAYS)).toMatchObject({ outcome: 'saved' })
    const untrusting = await open(t, `rediss://127.0.0.1:${port}`)
    await expect(untrusting.load('j', undefined)).rejects.toThrow(/certificate/)
  })

  test('Redis Cluster: the jobs are spread over all nodes, and a list has the jobs of every node', async (t) => {
    const nodes = await startCluster(t)
    const store = await open(t, `redis+cluster://127.0.0.1:${nodes[0]?.port},127.0.0.1:${nodes[1]?.port}`)
    await recovered(store)
    const jobs = Array.from({ length: 30 }, (_, i) => `job-${String(i).padStart(2, '0')}`)
    for (const job of jobs) {
      await store.append(job, append('a'), ALWAYS)
      await store.append(job, { ...append('b'), stage: 'later' }, ALWAYS)
    }
    expect((await store.load('job-07', 's'))?.checkpoint.item_ids).toEqual(['a'])
    expect((await store.list(undefined, 100, undefined)).records.map(({ job }) => job)).toEqual(jobs)
    const sizes = await Promise.all(nodes.map((node) => node.command('DBSIZE')))
    expect(sizes.every((size) => Number(size) > 0)).toBe(true)
  })

  test('Sentinel: after the master stops, the replica is used and no acknowledged item is lost', async (t) => {
    const master = await startRedis(t)
    const replica = await startRedis(t, { config: ['--replicaof', '127.0.0.1', `${master.port}`] })
    await until(async () => String(await master.command('INFO', 'replication')).includes('state=online'))
    const sentinel = await startSentinel(t, master.port)
    await until(async () => String(await sentinel.command('INFO', 'sentinel')).includes('slaves=1'))
    const store = await open(t, `redis+sentinel://127.0.0.1:${sentinel.port}/main/0`)
    await store.append('j', append('a'), ALWAYS)
    await until(async () => (await replica.command('EXISTS', 'checkpoint:granular:j')) === 1)
    await master.stop()
    const outage = await timed(() =>
      until(async () => {
        const { ms, result } = await timed(() => store.append('j', append('b'), ALWAYS))
        expect(ms).toBeLessThan(2_000)
        return !(result instanceof Error)
      }),
    )
    expect(outage.ms).toBeLessThan(15_000)
    expect((await store.load('j', undefined))?.checkpoint.item_ids).toEqual(['a', 'b'])
    expect(String(await replica.command('ROLE'))).toContain('master')
  }, 40_000)
})
