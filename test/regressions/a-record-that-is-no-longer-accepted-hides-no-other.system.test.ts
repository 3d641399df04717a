import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { openFileStore } from '../../src/checkpoint/file/store.ts'
import { systemClock } from '../../src/clock.ts'
import { ALWAYS, checkpoint } from '../checkpoint/store-contract.ts'
import { ask } from '../support/client.ts'
import { breakwater } from '../support/command.ts'
import { temporaryFolder } from '../support/folder.ts'
import { startProxy } from '../support/proxy.ts'

const SETTINGS = { ttlMs: 3_600_000, maxItems: 100 }

/** A folder with records of an earlier version: two valid ones, one nested too deeply, one of a job named `..`. */
async function folderOfBefore(t: Parameters<typeof temporaryFolder>[0]): Promise<string> {
  const folder = temporaryFolder(t)
  const store = await openFileStore(folder, SETTINGS, systemClock)
  for (const job of ['a', 'deep', 'z']) await store.save(job, checkpoint('s', ['x']), ALWAYS)
  await store.close()
  const database = new DatabaseSync(join(folder, 'checkpoints.sqlite'))
  const metadata = `${'{"m":'.repeat(2_600)}0${'}'.repeat(2_600)}`
  database
    .prepare('UPDATE stages SET checkpoint = ? WHERE job = ?')
    .run(
      `{"stage":"s","progress":0,"completed_items":0,"total_items":1,"item_ids":[],"metadata":${metadata},"timestamp":""}`,
      'deep',
    )
  for (const table of ['heads', 'stages']) {
    const columns = table === 'heads' ? 'stage, revision, attempt, expires_at' : 'stage, checkpoint'
    database.exec(`INSERT INTO ${table} (job, ${columns}) SELECT '..', ${columns} FROM ${table} WHERE job = 'z'`)
  }
  database.close()
  return folder
}

test('lists: a stored record that is no longer valid is skipped, and counted', async (t) => {
  const folder = await folderOfBefore(t)
  const proxy = await startProxy(t, {
    clock: systemClock,
    top: { checkpoints: { store: `file:${folder}` } },
    upstreams: { web: { url: 'http://127.0.0.1:9' } },
  })
  const get = async (path: string) => {
    const answer = await ask(`${proxy.controlUrl}${path}`)
    return { status: answer.status, body: JSON.parse(answer.body.toString()) }
  }
  const list = await get('/v1/checkpoints?limit=2')
  expect(list.body).toMatchObject({ checkpoints: [{ job_id: 'a' }], unreadable: 1, next_cursor: 'a' })
  const rest = await get('/v1/checkpoints?cursor=a&items=true')
  expect(rest.body).toMatchObject({ checkpoints: [{ job_id: 'z', item_ids: ['x'] }], unreadable: 1, next_cursor: null })
  const progress = await get('/v1/progress')
  expect(progress.body.jobs.map(({ job_id }: { job_id: string }) => job_id)).toEqual(['a', 'deep', 'z'])
  expect(progress.body.unreadable).toBe(1)
  expect((await get('/v1/checkpoints/deep')).status).toBe(404)
  const append = await ask(`${proxy.controlUrl}/v1/checkpoints/deep/items`, {
    method: 'POST',
    body: '{"stage":"s","item_ids":["y"]}',
  })
  expect(append.status).toBe(409)
  expect((await get('/v1/checkpoints/z')).status).toBe(200)
})

test('checkpoints copy: unreadable records are left out and reported, with exit code 1', async (t) => {
  const folder = await folderOfBefore(t)
  const target = temporaryFolder(t)
  const out = await breakwater(t, ['checkpoints', 'copy', '--from', `file:${folder}`, '--to', `file:${target}`]).ended
  expect(out.stdout).toContain('2 checkpoints copied, 0 there already, 2 left out: they cannot be read\n')
  expect(out.code).toBe(1)
})
