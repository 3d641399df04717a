import { cpSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { CheckpointDatabase } from '../../src/checkpoint/file/database.ts'
import { openFileStore } from '../../src/checkpoint/file/store.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { temporaryFolder } from '../support/folder.ts'
import type { Scope } from '../support/scripted-upstream.ts'
import { ALWAYS, checkpoint, SETTINGS, storeContract } from './store-contract.ts'

async function open(t: Scope, folder: string | undefined) {
  const clock = fakeClock()
  const store = await openFileStore(folder, SETTINGS, clock)
  t.onTestFinished(() => store.close())
  return { store, clock }
}

storeContract('the file store', (t) => open(t, temporaryFolder(t)))
storeContract('the memory store', (t) => open(t, undefined))

test('file store: records are still there after the store is reopened', async (t) => {
  const folder = temporaryFolder(t)
  const first = await openFileStore(folder, SETTINGS, fakeClock())
  await first.save('j', checkpoint('s', ['a']), ALWAYS)
  await first.close()
  const { store } = await open(t, folder)
  expect(await store.load('j', undefined)).toMatchObject({ revision: 1, checkpoint: { item_ids: ['a'] } })
})

test('file store: a second store on the same folder is refused: another process has it open', async (t) => {
  const folder = temporaryFolder(t)
  await open(t, folder)
  await expect(openFileStore(folder, SETTINGS, fakeClock())).rejects.toThrow(
    `file:${folder}: another process has it open`,
  )
})

test('file store: the error for a folder that cannot be created names the setting and the folder', async (t) => {
  const file = join(temporaryFolder(t), 'file')
  writeFileSync(file, '')
  const { store } = await open(t, join(file, 'data'))
  await expect(store.load('j', undefined)).rejects.toThrow(`checkpoints.store file:${file}/data: ENOTDIR`)
})

test('file store: a record expires one ttl after its last write', async (t) => {
  const { store, clock } = await open(t, temporaryFolder(t))
  await store.append('j', { stage: 's', itemIds: ['a'], totalItems: 1, metadata: undefined }, ALWAYS)
  await clock.advance(59_000)
  expect(
    await store.append('j', { stage: 's', itemIds: ['b'], totalItems: 2, metadata: undefined }, ALWAYS),
  ).toMatchObject({
    record: { revision: 2 },
  })
  await clock.advance(59_999)
  expect((await store.load('j', undefined))?.checkpoint.item_ids).toEqual(['a', 'b'])
  await clock.advance(1)
  expect(await store.load('j', undefined)).toBeUndefined()
  expect((await store.list(undefined, 10, undefined)).records).toEqual([])
  expect(
    await store.append('j', { stage: 's', itemIds: ['z'], totalItems: 1, metadata: undefined }, ALWAYS),
  ).toMatchObject({
    created: true,
    record: { revision: 1, checkpoint: { item_ids: ['z'] } },
  })
})

test('file store: over a year of jobs, the sweep of expired records keeps the file from growing', (t) => {
  const path = join(temporaryFolder(t), 'checkpoints.sqlite')
  const DAY_MS = 86_400_000
  const database = new CheckpointDatabase(path, { ttlMs: DAY_MS, maxItems: 10_000 })
  t.onTestFinished(() => database.close())
  const ids = Array.from({ length: 50 }, (_, i) => `item-number-${i}`)
  const sizes: number[] = []
  for (let day = 0; day < 365; day += 1) {
    const now = day * DAY_MS
    database.together(() => {
      for (let job = 0; job < 30; job += 1) {
        const id = `job-${day}-${job}`
        database.save(id, checkpoint('first', ids), ALWAYS, now)
        database.save(id, checkpoint('second', ids), ALWAYS, now)
        database.registerJob({ id, inputs: {}, totalMs: undefined }, false, now)
      }
    })
    database.together(() => database.sweep(now, 200))
    sizes.push(statSync(path).size)
  }
  expect(Math.max(...sizes)).toBeLessThan(1.5 * Math.max(...sizes.slice(0, 30)))
  expect(database.jobs(365 * DAY_MS)).toHaveLength(0)
})

test('file store: a file of schema version 1 opens with all its records', async (t) => {
  const folder = temporaryFolder(t)
  cpSync(join(import.meta.dirname, '../fixtures/store-version-1.sqlite'), join(folder, 'checkpoints.sqlite'))
  const { store } = await open(t, folder)
  expect(await store.load('job-1', undefined)).toMatchObject({
    revision: 2,
    attempt: 3,
    checkpoint: { stage: 'building_video', item_ids: ['ü'], metadata: { quality: 'best' } },
  })
  expect((await store.load('job-1', 'downloading_shorts'))?.checkpoint.item_ids).toEqual(['a', 'b'])
  expect(await store.jobs()).toMatchObject([{ record: { id: 'job-1', inputs: { shorts_count: 10 } } }])
})

test('file store: a file of a later version is refused and not changed', async (t) => {
  const folder = temporaryFolder(t)
  const file = join(folder, 'checkpoints.sqlite')
  const later = new DatabaseSync(file)
  later.exec('PRAGMA user_version = 99')
  later.close()
  const before = readFileSync(file)
  const { store } = await open(t, folder)
  await expect(store.load('j', undefined)).rejects.toThrow('later version (99)')
  expect(readFileSync(file).equals(before)).toBe(true)
})
