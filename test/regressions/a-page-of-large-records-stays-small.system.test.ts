import { expect, type TestContext, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { ask } from '../support/client.ts'
import { needs } from '../support/needs.ts'
import { startProxy } from '../support/proxy.ts'
import { hasRedis, startRedis } from '../support/redis.ts'
import { until } from '../support/until.ts'

needs('redis-server', hasRedis)

const STORES: readonly (readonly [name: string, place: (t: TestContext) => Promise<string>])[] = [
  ['memory', async () => 'memory:'],
  ['Redis', async (t) => `redis://127.0.0.1:${(await startRedis(t)).port}`],
]

const JOBS = Array.from({ length: 24 }, (_, i) => `film-${String(i).padStart(2, '0')}`)
/** Item ids, about 250 KB together. The last two contain text that could be taken for the end of the list. */
const IDS = [...Array.from({ length: 600 }, (_, i) => `${'s'.repeat(400)}-${i}`), '],"metadata":{', '\\"]']
const LIMIT = 4 * 1024 * 1024

test.for(STORES.filter(([name]) => hasRedis || name === 'memory'))(
  '%s: lists leave items out, and pages end at 4 MiB',
  async ([, place], t) => {
    const proxy = await startProxy(t, {
      clock: systemClock,
      top: { checkpoints: { store: await place(t) } },
      upstreams: { web: { url: 'http://127.0.0.1:9' } },
    })
    const api = `${proxy.controlUrl}/v1`
    const append = (job: string, stage: string, ids: readonly string[]) =>
      ask(`${api}/checkpoints/${job}/items`, {
        method: 'POST',
        body: JSON.stringify({ stage, item_ids: ids, total_items: 700, metadata: { of: job } }),
      })
    for (const job of JOBS) {
      expect((await append(job, 'load', ['x', 'y'])).status).toBe(201)
      expect((await append(job, 'cut', IDS)).status).toBe(200)
    }
    const get = async (path: string) => {
      const answer = await ask(`${api}${path}`)
      expect([path, answer.status]).toEqual([path, 200])
      return { bytes: answer.body.length, page: JSON.parse(answer.body.toString()) }
    }

    const progress = await get('/progress')
    expect(progress.page.jobs.map(({ job_id }: { job_id: string }) => job_id)).toEqual(JOBS)
    expect(progress.page.jobs[7].stages).toEqual([
      { stage: 'load', completed_items: 2, total_items: 700 },
      { stage: 'cut', completed_items: IDS.length, total_items: 700 },
    ])
    expect(await get('/progress?limit=5&cursor=film-20')).toMatchObject({ page: { next_cursor: null } })

    const plain = await get('/checkpoints?limit=1000')
    expect(plain.page.checkpoints).toHaveLength(JOBS.length)
    expect(plain.page.checkpoints[3]).toMatchObject({
      job_id: 'film-03',
      stage: 'cut',
      completed_items: IDS.length,
      metadata: { of: 'film-03' },
      revision: 2,
    })
    expect(plain.page.checkpoints.filter((record: object) => 'item_ids' in record)).toEqual([])
    expect((await get('/checkpoints?stage=load')).page.checkpoints[23]).toMatchObject({
      stage: 'load',
      total_items: 700,
    })

    const seen: string[] = []
    let cursor: string | null = ''
    let pages = 0
    while (cursor !== null) {
      const { bytes, page }: Awaited<ReturnType<typeof get>> = await get(
        `/checkpoints?items=true&limit=1000${cursor === '' ? '' : `&cursor=${cursor}`}`,
      )
      expect(bytes).toBeLessThan(LIMIT + 1024 * 1024)
      for (const { job_id, item_ids } of page.checkpoints) {
        seen.push(job_id)
        expect(item_ids).toEqual(IDS)
      }
      cursor = page.next_cursor
      pages += 1
    }
    expect([seen, pages]).toEqual([JOBS, 2])
  },
)

test.runIf(hasRedis)(
  'Redis: a key of another kind, or that is no checkpoint, is skipped by lists and counted',
  async (t) => {
    const redis = await startRedis(t)
    const written = { stage: 's', progress: 0.5, completed_items: 1, total_items: 2, item_ids: ['a'], metadata: {} }
    const latin1 = Buffer.from(JSON.stringify({ ...written, item_ids: ['caf\xe9'] }), 'latin1')
    await redis.command('SET', 'checkpoint:granular:well', JSON.stringify(written, undefined, 1))
    await redis.command('LPUSH', 'checkpoint:granular:list', 'a')
    await redis.command('SET', 'checkpoint:granular:letter', 'dear diary')
    await redis.command('EVAL', `return redis.call('SET', KEYS[1], ARGV[1])`, 1, 'checkpoint:granular:..', '{}')
    const client = `redis.call('SET', KEYS[1], (string.gsub(ARGV[1], 'X', string.char(233))))`
    await redis.command('EVAL', client, 1, 'checkpoint:granular:latin', latin1.toString('latin1').replace('\xe9', 'X'))
    const proxy = await startProxy(t, {
      clock: systemClock,
      top: { checkpoints: { store: `redis://127.0.0.1:${redis.port}` } },
      upstreams: { web: { url: 'http://127.0.0.1:9' } },
    })
    const listed = async (query: string) => {
      const answer = await ask(`${proxy.controlUrl}/v1/checkpoints${query}`)
      const { checkpoints, unreadable } = JSON.parse(answer.body.toString())
      return { jobs: checkpoints.map(({ job_id }: { job_id: string }) => job_id), unreadable }
    }
    await until(async () => (await listed('')).jobs.length > 0)
    // Without `items=true` the items are not read: the invalid text in `latin` goes unnoticed.
    expect(await listed('')).toEqual({ jobs: ['latin', 'well'], unreadable: 3 })
    expect(await listed('?items=true')).toEqual({ jobs: ['well'], unreadable: 4 })
    expect(JSON.parse((await ask(`${proxy.controlUrl}/v1/progress`)).body.toString())).toMatchObject({
      jobs: [{ job_id: 'latin' }, { job_id: 'well', stages: [{ stage: 's', completed_items: 1, total_items: 2 }] }],
      unreadable: 3,
    })
    expect((await ask(`${proxy.controlUrl}/v1/checkpoints/latin`)).status).toBe(404)
  },
)
