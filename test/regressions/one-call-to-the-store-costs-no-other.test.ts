import { expect, type TestContext, test } from 'vitest'
import { openFileStore } from '../../src/checkpoint/file/store.ts'
import { StoreDown } from '../../src/checkpoint/store.ts'
import { systemClock } from '../../src/clock.ts'
import { ALWAYS, checkpoint } from '../checkpoint/store-contract.ts'
import { temporaryFolder } from '../support/folder.ts'

const SETTINGS = { ttlMs: 60_000, maxItems: 100 }

async function open(t: TestContext) {
  const store = await openFileStore(temporaryFolder(t), SETTINGS, systemClock)
  t.onTestFinished(() => store.close())
  return store
}

const deep = (levels: number): Record<string, unknown> =>
  Array.from({ length: levels }).reduce<Record<string, unknown>>((inner) => ({ inner }), {})

const append = (id: string, metadata?: Record<string, unknown>) => ({
  stage: 'render',
  itemIds: [id],
  totalItems: undefined,
  metadata,
})

const outcomeOf = (call: Promise<unknown>) =>
  call.then(
    () => 'done',
    (error: Error) => (error instanceof StoreDown ? 'down' : 'fault'),
  )

// Some depths cannot be written to a message, others cannot be read from one; which ones depends on the stack size.
test.for([900, 1_800, 2_700, 3_600, 9_000])('store: metadata %i levels deep fails no other call', async (levels, t) => {
  const store = await open(t)
  const all = [
    store.append('first', append('a'), ALWAYS),
    store.append('deep', append('b', deep(levels)), ALWAYS),
    store.append('second', append('c'), ALWAYS),
    store.append('third', append('d'), ALWAYS),
  ]
  const [first, , second, third] = await Promise.all(all.map(outcomeOf))
  expect([first, second, third]).toEqual(['done', 'done', 'done'])
  expect((await store.load('second', undefined))?.checkpoint.item_ids).toEqual(['c'])
  expect(await outcomeOf(store.append('later', append('e'), ALWAYS))).toBe('done')
  expect((await store.list(undefined, 10, undefined)).records.map(({ job }) => job)).toContain('third')
})

test('store: when one call of a batch throws, only that call is undone', async (t) => {
  const store = await open(t)
  const circular: Record<string, unknown> = {}
  circular.self = circular // can be sent to a thread, but cannot be written as JSON
  const all = [
    store.save('kept-1', checkpoint('s', ['a']), ALWAYS),
    store.save('broken', { ...checkpoint('s'), metadata: circular }, ALWAYS),
    store.save('kept-2', checkpoint('s', ['b']), ALWAYS),
  ]
  expect(await Promise.all(all.map(outcomeOf))).toEqual(['done', 'fault', 'done'])
  expect((await store.list(undefined, 10, undefined)).records.map(({ job }) => job)).toEqual(['kept-1', 'kept-2'])
})
