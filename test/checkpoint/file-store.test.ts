import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openFileStore } from '../../src/checkpoint/file-store.ts'
import { fakeClock } from '../support/fake-clock.ts'
import type { Scope } from '../support/scripted-upstream.ts'
import { ALWAYS, checkpoint, SETTINGS, storeContract } from './store-contract.ts'

function folderOf(t: Scope): string {
  const folder = mkdtempSync(join(tmpdir(), 'breakwater-test-'))
  t.onTestFinished(() => rmSync(folder, { recursive: true }))
  return folder
}

async function open(t: Scope, folder: string | undefined) {
  const clock = fakeClock()
  const store = await openFileStore(folder, SETTINGS, clock)
  t.onTestFinished(() => store.close())
  return { store, clock }
}

storeContract('the file store', (t) => open(t, folderOf(t)))
storeContract('the memory store', (t) => open(t, undefined))

test('what was saved is there when the store is opened again', async (t) => {
  const folder = folderOf(t)
  const first = await openFileStore(folder, SETTINGS, fakeClock())
  await first.save('j', checkpoint('s', ['a']), ALWAYS)
  await first.close()
  const { store } = await open(t, folder)
  expect(await store.load('j', undefined)).toMatchObject({ revision: 1, checkpoint: { item_ids: ['a'] } })
})

test('a second store on the same folder is refused, and says why', async (t) => {
  const folder = folderOf(t)
  await open(t, folder)
  await expect(openFileStore(folder, SETTINGS, fakeClock())).rejects.toThrow(
    `file:${folder}: another process has it open`,
  )
})

test('a record lives for its time after the last save, and then makes room', async (t) => {
  const { store, clock } = await open(t, folderOf(t))
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
