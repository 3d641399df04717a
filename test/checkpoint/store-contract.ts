import { expect, type TestContext, test } from 'vitest'
import type { Checkpoint } from '../../src/checkpoint/record.ts'
import type { CheckpointStore, HistoryKind, Precondition, StoreSettings } from '../../src/checkpoint/store.ts'
import type { FakeClock } from '../support/fake-clock.ts'

export const ALWAYS: Precondition = { ifMatch: undefined, ifNoneMatch: undefined, attempt: undefined }
export const NO_TLS = { ca: '', servername: '', cert: '', key: '' }
export const SETTINGS: StoreSettings = { ttlMs: 60_000, maxItems: 5 }

export const checkpoint = (stage: string, ids: readonly string[] = []): Checkpoint => ({
  stage,
  progress: ids.length / 10,
  completed_items: ids.length,
  total_items: 10,
  item_ids: ids,
  metadata: { source: 'test' },
  timestamp: '2026-01-01T00:00:00',
})

const append = (stage: string, ...itemIds: string[]) => ({ stage, itemIds, totalItems: undefined, metadata: undefined })

type Open = (t: TestContext) => Promise<{ store: CheckpointStore; clock: FakeClock }>

/** Tests that every checkpoint store has to pass. */
export function storeContract(name: string, open: Open): void {
  test(`${name}: a loaded record equals the saved one, and its revision grows`, async (t) => {
    const { store } = await open(t)
    const saved = checkpoint('downloading_shorts', ['a', 'b'])
    expect(await store.save('job-1', saved, ALWAYS)).toMatchObject({
      outcome: 'saved',
      created: true,
      record: { revision: 1 },
    })
    expect(await store.load('job-1', undefined)).toMatchObject({ checkpoint: saved, revision: 1 })
    expect(await store.save('job-1', saved, ALWAYS)).toMatchObject({ created: false, record: { revision: 2 } })
    expect(await store.load('unknown', undefined)).toBeUndefined()
  })

  test(`${name}: rows of the history come back in order, and a row of the same name replaces the one before`, async (t) => {
    const { store, clock } = await open(t)
    const now = Math.floor(clock.wallNow() / 1000) * 1000
    const row = (at: number, text: string, rowName = '') =>
      ({ kind: 'minute', at: now + at, name: rowName, bytes: new TextEncoder().encode(text) }) as const
    await store.saveHistory([row(2_000, 'b'), row(0, 'a'), row(0, 'other', 'x')])
    await store.saveHistory([row(2_000, 'c'), { ...row(0, 'i', 'web-1'), kind: 'incident' }])
    const kept = async (kind: HistoryKind, from: number, to: number) =>
      (await store.history(kind, now + from, now + to)).map(({ at, name: rowName, bytes }) => [
        at - now,
        rowName,
        new TextDecoder().decode(bytes),
      ])
    expect(new Set(await kept('minute', 0, 3_000))).toEqual(
      new Set([
        [0, '', 'a'],
        [0, 'x', 'other'],
        [2_000, '', 'c'],
      ]),
    )
    expect(await kept('minute', 1, 2_001)).toEqual([[2_000, '', 'c']])
    expect(await kept('incident', 0, 1)).toEqual([[0, 'web-1', 'i']])
    expect(await kept('hour', 0, 3_000)).toEqual([])
  })

  test(`${name}: items are a set, in the order of their first append`, async (t) => {
    const { store } = await open(t)
    await store.append('j', { ...append('s', 'b', 'a', 'b'), totalItems: 4, metadata: { x: 1 } }, ALWAYS)
    await store.append('j', { ...append('s', 'c', 'a'), metadata: { y: 2 } }, ALWAYS)
    const record = await store.load('j', undefined)
    expect(record?.checkpoint).toMatchObject({
      item_ids: ['b', 'a', 'c'],
      completed_items: 3,
      total_items: 4,
      progress: 0.75,
      metadata: { x: 1, y: 2 },
    })
    expect(record?.revision).toBe(2)
  })

  test(`${name}: concurrent appends lose no item`, async (t) => {
    const { store } = await open(t)
    await Promise.all(['a', 'b', 'c', 'd', 'e'].map((id) => store.append('j', append('s', id), ALWAYS)))
    const record = await store.load('j', 's')
    expect([...(record?.checkpoint.item_ids ?? [])].sort()).toEqual(['a', 'b', 'c', 'd', 'e'])
    expect(record?.revision).toBe(5)
  })

  test(`${name}: a new stage starts empty, and the older one stays readable`, async (t) => {
    const { store } = await open(t)
    await store.append('j', append('first', 'a', 'b'), ALWAYS)
    await store.append('j', append('second', 'z'), ALWAYS)
    expect((await store.load('j', undefined))?.checkpoint).toMatchObject({ stage: 'second', item_ids: ['z'] })
    expect((await store.load('j', 'first'))?.checkpoint.item_ids).toEqual(['a', 'b'])
    expect(await store.load('j', 'third')).toBeUndefined()
    expect(await store.stages('j')).toEqual(['first', 'second'])
    await store.append('j', append('first', 'c'), ALWAYS)
    expect(await store.stages('j')).toEqual(['second', 'first'])
    expect((await store.load('j', undefined))?.checkpoint.item_ids).toEqual(['a', 'b', 'c'])
    expect(await store.stages('none')).toEqual([])
  })

  test(`${name}: ifMatch and ifNoneMatch are checked against the revision`, async (t) => {
    const { store } = await open(t)
    const only = (part: Partial<Precondition>) => ({ ...ALWAYS, ...part })
    expect(await store.append('j', append('s', 'a'), only({ ifMatch: '*' }))).toEqual({ outcome: 'mismatch' })
    expect(await store.append('j', append('s', 'a'), only({ ifNoneMatch: '*' }))).toMatchObject({ outcome: 'saved' })
    expect(await store.append('j', append('s', 'b'), only({ ifNoneMatch: '*' }))).toEqual({ outcome: 'mismatch' })
    expect(await store.append('j', append('s', 'b'), only({ ifMatch: 2 }))).toEqual({ outcome: 'mismatch' })
    expect(await store.append('j', append('s', 'b'), only({ ifMatch: 1 }))).toMatchObject({ record: { revision: 2 } })
    expect(await store.clear('j', only({ ifMatch: 1 }))).toBe(false)
    expect(await store.clear('j', only({ ifMatch: 2 }))).toBe(true)
    expect(await store.clear('j', ALWAYS)).toBe(true)
    expect(await store.load('j', undefined)).toBeUndefined()
  })

  test(`${name}: an older attempt cannot write over a newer one`, async (t) => {
    const { store } = await open(t)
    const as = (attempt: number) => ({ ...ALWAYS, attempt })
    await store.append('j', append('s', 'a'), as(2))
    expect(await store.append('j', append('s', 'b'), as(1))).toEqual({ outcome: 'older_attempt', attempt: 2 })
    expect(await store.append('j', append('s', 'c'), as(3))).toMatchObject({ outcome: 'saved' })
    expect(await store.save('j', checkpoint('s'), as(2))).toEqual({ outcome: 'older_attempt', attempt: 3 })
    expect((await store.load('j', undefined))?.checkpoint.item_ids).toEqual(['a', 'c'])
  })

  test(`${name}: an append over maxItems is refused and adds none of its items`, async (t) => {
    const { store } = await open(t)
    await store.append('j', append('s', 'a', 'b', 'c'), ALWAYS)
    expect(await store.append('j', append('s', 'd', 'e', 'f'), ALWAYS)).toEqual({ outcome: 'too_many', count: 6 })
    expect((await store.load('j', undefined))?.checkpoint.item_ids).toEqual(['a', 'b', 'c'])
    expect(await store.append('j', append('s', 'a', 'd', 'e'), ALWAYS)).toMatchObject({ outcome: 'saved' })
  })

  test(`${name}: list pages through all records in order, and filters by stage`, async (t) => {
    const { store } = await open(t)
    for (const job of ['c', 'a', 'e', 'b', 'd'])
      await store.append(job, append(job === 'b' ? 'rare' : 's', 'x'), ALWAYS)
    const seen: string[] = []
    let after: string | undefined
    do {
      const page = await store.list(undefined, 2, after)
      seen.push(...page.records.map(({ job }) => job))
      after = page.next
    } while (after !== undefined)
    expect(seen).toEqual(['a', 'b', 'c', 'd', 'e'])
    expect((await store.list('rare', 10, undefined)).records.map(({ job }) => job)).toEqual(['b'])
  })

  test(`${name}: jobs are saved, listed and removed`, async (t) => {
    const { store } = await open(t)
    const job = {
      id: 'j',
      inputs: { shorts_count: 3, aspect_ratio: '9:16' },
      startedAt: 1_767_225_600_000,
      deadlineAt: undefined,
    }
    const { id, inputs, startedAt } = job
    await store.registerJob({ id, inputs, startedAt, totalMs: undefined })
    expect((await store.jobs()).map(({ record }) => record)).toEqual([job])
    await store.removeJob('j')
    await store.removeJob('j')
    expect(await store.jobs()).toEqual([])
  })
}
