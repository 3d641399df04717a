import { expect, type TestContext, test } from 'vitest'
import { openFileStore } from '../../src/checkpoint/file/store.ts'
import type { StoreNews } from '../../src/checkpoint/store.ts'
import { ALWAYS, checkpoint } from '../checkpoint/store-contract.ts'
import { ask } from '../support/client.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { temporaryFolder } from '../support/folder.ts'
import { withSidecar } from '../support/sidecar.ts'

const HOUR_MS = 3_600_000
const SWEEP_MS = 60_000
const SETTINGS = { ttlMs: 24 * HOUR_MS, maxItems: 100 }

async function open(t: TestContext) {
  const clock = fakeClock()
  const news: StoreNews[] = []
  const store = await openFileStore(temporaryFolder(t), SETTINGS, clock, (one) => news.push(one))
  t.onTestFinished(() => store.close())
  const isThere = async (job: string) => (await store.load(job, undefined)) !== undefined
  /** Advances one sweep at a time: the store's thread answers in real time, and is ended if it seems silent. */
  const pass = async (ms: number) => {
    for (let left = ms; ; left -= SWEEP_MS) {
      await clock.armed(SWEEP_MS)
      if (left < SWEEP_MS) return clock.advance(left)
      await clock.advance(SWEEP_MS)
    }
  }
  return { clock, news, store, isThere, pass }
}

test('expiry: a clock that is 30 h ahead for a minute deletes nothing, and is reported', async (t) => {
  const { clock, news, store, isThere } = await open(t)
  await store.save('film', checkpoint('first', ['a']), ALWAYS)
  await store.save('film', checkpoint('second', ['b']), ALWAYS)
  clock.jumpWall(30 * HOUR_MS)
  await clock.elapse(60_000) // a sweep
  expect(await isThere('film')).toBe(true)
  expect(
    await store.append('film', { stage: 'second', itemIds: ['c'], totalItems: undefined, metadata: undefined }, ALWAYS),
  ).toMatchObject({ created: false, record: { checkpoint: { item_ids: ['b', 'c'] } } })
  clock.jumpWall(-30 * HOUR_MS)
  await clock.elapse(60_000)
  expect(await store.stages('film')).toEqual(['first', 'second'])
  expect(news).toEqual([
    { kind: 'clock_jump', byMs: 30 * HOUR_MS },
    { kind: 'clock_jump', byMs: -30 * HOUR_MS },
  ])
})

test.for([5 * 24, -5 * 24])(
  'expiry: after a lasting clock jump of %i h each record still lives for its whole ttl',
  async (hours, t) => {
    const { clock, store, isThere, pass } = await open(t)
    await store.save('before', checkpoint('s', ['a']), ALWAYS)
    await pass(HOUR_MS)
    clock.jumpWall(hours * HOUR_MS)
    await clock.elapse(60_000)
    await store.save('meanwhile', checkpoint('s', ['a']), ALWAYS)
    await pass(HOUR_MS)
    await clock.elapse(60_000) // the sweep that accepts the jump
    await store.save('after', checkpoint('s', ['a']), ALWAYS)
    const ageOfFirst = 2 * HOUR_MS + 120_000
    await pass(24 * HOUR_MS - ageOfFirst - 1)
    expect([await isThere('before'), await isThere('meanwhile'), await isThere('after')]).toEqual([true, true, true])
    await clock.advance(1)
    expect([await isThere('before'), await isThere('meanwhile')]).toEqual([false, true])
    await pass(HOUR_MS + 60_000)
    expect([await isThere('meanwhile'), await isThere('after')]).toEqual([false, true])
  },
)

test.for([5, -5])('jobs: a clock jump of %i h, while it lasts and once accepted, changes no age', async (hours, t) => {
  const { clock, store, pass } = await open(t)
  await store.registerJob({ id: 'film', inputs: {}, totalMs: 4 * HOUR_MS })
  await pass(60_000)
  clock.jumpWall(hours * HOUR_MS)
  await clock.elapse(60_000)
  expect((await store.findJob('film'))?.ageMs).toBe(120_000)
  await pass(HOUR_MS)
  await clock.elapse(60_000) // the sweep that accepts the jump
  const { record, ageMs } = (await store.findJob('film')) ?? {}
  expect([ageMs, record?.startedAt]).toEqual([HOUR_MS + 180_000, clock.wallNow() - HOUR_MS - 180_000])
  expect((record?.deadlineAt ?? 0) - (record?.startedAt ?? 0)).toBe(4 * HOUR_MS)
})

test('expiry: a clock correction of under a minute applies at once, and is not reported', async (t) => {
  const { clock, news, store, isThere, pass } = await open(t)
  await store.save('film', checkpoint('s', ['a']), ALWAYS)
  clock.jumpWall(40_000)
  await pass(24 * HOUR_MS - 40_001)
  expect(await isThere('film')).toBe(true)
  await clock.advance(1)
  expect([await isThere('film'), news]).toEqual([false, []])
})

test.for([3 * HOUR_MS, -3 * HOUR_MS])(
  'job deadline: a wall clock that jumps by %i ms does not move it',
  async (jumpMs, t) => {
    const { clock, proxy, url } = await withSidecar(t, [{ body: 'ok' }, { body: 'ok' }, { body: 'ok' }], {
      top: { timeouts: { total: { base: '90s', min: '1s', max: '1h' } } },
    })
    const job = `${proxy.controlUrl}/v1/jobs/film-1`
    expect((await ask(job, { method: 'PUT', body: '{}' })).status).toBe(201)
    const request = async () => (await ask(url, { headers: { 'x-job-id': 'film-1' } })).status
    const left = async () => JSON.parse((await ask(job)).body.toString()).time_left_s
    await clock.advance(10_000)
    clock.jumpWall(jumpMs)
    expect([await request(), await left()]).toEqual([200, 80])
    // A job that is registered again keeps its start.
    expect((await ask(job, { method: 'PUT', body: '{}' })).status).toBe(200)
    await clock.advance(79_999)
    expect([await request(), await left()]).toEqual([200, 0.001])
    await clock.advance(1)
    expect([await request(), await left()]).toEqual([504, 0])
  },
)
