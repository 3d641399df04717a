import { expect, test } from 'vitest'
import { openStore } from '../../src/checkpoint/open.ts'
import { storePlace } from '../../src/checkpoint/place.ts'
import { systemClock } from '../../src/clock.ts'
import { breakwater } from '../support/command.ts'
import { temporaryFolder } from '../support/folder.ts'
import { needs } from '../support/needs.ts'
import { hasRedis, startRedis } from '../support/redis.ts'
import { ALWAYS, SETTINGS, NO_TLS } from './store-contract.ts'

const open = (url: string) => {
  const place = storePlace(url)
  if (place === undefined) throw new Error(`${url} is no place`)
  return openStore(place, SETTINGS, NO_TLS, systemClock)
}
const append = (stage: string, id: string) => ({ stage, itemIds: [id], totalItems: 3, metadata: { from: 'source' } })

needs('redis-server', hasRedis)

test.runIf(hasRedis)(
  'checkpoints copy: copies stages and jobs from a file to Redis and back, and overwrites no record',
  async (t) => {
    const { port } = await startRedis(t, { password: 'hunter2', config: ['--requirepass', 'hunter2'] })
    const redis = `redis://:hunter2@127.0.0.1:${port}/0`
    const [first, second] = [`file:${temporaryFolder(t)}`, `file:${temporaryFolder(t)}`]
    const source = await open(first)
    for (let i = 0; i < 250; i += 1) await source.append(`job-${i}`, append('older', 'a'), ALWAYS)
    await source.append('job-7', append('newer', 'b'), { ...ALWAYS, attempt: 4 })
    await source.registerJob({ id: 'job-7', inputs: { n: 3 }, totalMs: undefined })
    await source.close()
    const target = await open(redis)
    await target.append('job-9', append('own', 'x'), ALWAYS)

    const out = await breakwater(t, ['checkpoints', 'copy', '--from', first, '--to', '${STORE}'], { STORE: redis })
      .ended
    expect([out.code, out.stderr]).toEqual([0, ''])
    expect(out.stdout).toBe(
      [
        `from ${first} to redis://127.0.0.1:${port}/0`,
        '100 checkpoints copied, 0 there already',
        '200 checkpoints copied, 0 there already',
        '249 checkpoints copied, 1 there already',
        '1 jobs copied',
        '',
      ].join('\n'),
    )
    expect(await target.load('job-7', undefined)).toMatchObject({
      attempt: 4,
      checkpoint: { stage: 'newer', item_ids: ['b'], metadata: { from: 'source' } },
    })
    expect((await target.load('job-7', 'older'))?.checkpoint.item_ids).toEqual(['a'])
    expect((await target.load('job-9', undefined))?.checkpoint.stage).toBe('own')
    await target.close()

    const back = ['checkpoints', 'copy', '--from', redis, '--to', second]
    expect((await breakwater(t, back).ended).stdout).toContain('250 checkpoints copied, 0 there already\n1 jobs copied')
    expect((await breakwater(t, back).ended).stdout).toContain('0 checkpoints copied, 250 there already\n0 jobs copied')
    const copy = await open(second)
    t.onTestFinished(() => copy.close())
    expect(await copy.stages('job-7')).toEqual(['older', 'newer'])
    expect(await copy.jobs()).toMatchObject([{ record: { id: 'job-7', inputs: { n: 3 } } }])
  },
)

test('checkpoints copy: an invalid, locked or unreachable store is an error that hides the password', async (t) => {
  const folder = temporaryFolder(t)
  const copy = (from: string, to: string) => breakwater(t, ['checkpoints', 'copy', '--from', from, '--to', to]).ended
  const wrong = await copy('redis:/user:hunter2@x', `file:${folder}`)
  expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('--from: expected file:<folder>, memory:')])
  const unset = await copy(`file:${folder}`, '${NOT_SET_ANYWHERE}')
  expect([unset.code, unset.stderr]).toEqual([2, expect.stringContaining('--to: NOT_SET_ANYWHERE is not set')])
  const used = await open(`file:${folder}`)
  t.onTestFinished(() => used.close())
  const busy = await copy(`file:${folder}`, 'memory:')
  expect([busy.code, busy.stderr]).toEqual([1, expect.stringContaining('another process has it open')])
  const away = await copy('redis://:hunter2@127.0.0.1:9/0', 'memory:')
  expect([away.code, away.stderr]).toEqual([1, expect.stringMatching(/Redis: .*ECONNREFUSED[\s\S]*run it again/)])
  expect(wrong.stderr + busy.stderr + away.stderr).not.toContain('hunter2')
})
