/** Pages of the records in Redis: goes through the index, and fetches of each record only what the page shows. */

import { isUtf8 } from 'node:buffer'
import type { Clock } from '../../clock.ts'
import { RedisRefusal, type RedisClient } from './client.ts'
import { KeyIndex } from './key-index.ts'
import { PROGRESS, SUMMARY } from './scripts.ts'
import type { StoredCheckpoint } from '../record.ts'
import {
  type CheckpointStore,
  type JobProgress,
  type ListedCheckpoint,
  MAX_PAGE_BYTES,
  type StoreSettings,
} from '../store.ts'
import { canBeNamed, readCheckpoint } from '../stored-text.ts'

const RECORD = 'checkpoint:granular:'
/** Time in ms after which a page ends, however few its records. */
const LIST_MS = 1_500
/** Largest number of records fetched at once. With their items each may be megabytes. */
const AT_ONCE = { whole: 4, summary: 50 }

export const recordIndex = (redis: RedisClient) => new KeyIndex(redis, RECORD, 'records')

/** The hash tag keeps a job's two keys on one node of a cluster. */
export const keysOf = (job: string) => [`${RECORD}${job}`, `breakwater:{${RECORD}${job}}`]

/** Entry that a record adds to a page, and its size; undefined when the record is missing, or not of the stage. */
type Found<R> = { readonly entry: R; readonly bytes: number } | 'unreadable' | undefined

type Load = (job: string, stage: string | undefined) => Promise<StoredCheckpoint | undefined>

// biome-ignore lint/complexity/noExcessiveLinesPerFunction: short closures over one client, clock and `load`; as functions of the file each would take them again.
export function redisPages(
  redis: RedisClient,
  index: KeyIndex,
  load: Load,
  { ttlMs }: StoreSettings,
  clock: Clock,
): Pick<CheckpointStore, 'list' | 'progress'> {
  const paged = async <R>(
    limit: number,
    after: string | undefined,
    atOnce: number,
    find: (job: string) => Promise<Found<R>>,
  ) => {
    const endsAt = clock.now() + LIST_MS
    const entries: R[] = []
    let [bytes, unreadable] = [0, 0]
    let last = after
    for (;;) {
      const count = Math.min(atOnce, limit - entries.length + 1)
      const some = await index.namesAfter(last, count)
      const found = await Promise.all(some.map((job) => (canBeNamed(job) ? sparing(find(job)) : 'unreadable')))
      for (const [i, one] of found.entries()) {
        if (entries.length === limit || bytes >= MAX_PAGE_BYTES) return { entries, next: last, unreadable }
        if (one === 'unreadable') unreadable += 1
        else if (one !== undefined) {
          entries.push(one.entry)
          bytes += one.bytes
        }
        last = some[i]
      }
      if (some.length < count) return { entries, next: undefined, unreadable }
      if (clock.now() > endsAt) return { entries, next: last, unreadable }
    }
  }

  const whole =
    (stage: string | undefined) =>
    async (job: string): Promise<Found<ListedCheckpoint>> => {
      const record = await load(job, stage)
      if (record === undefined) return stage === undefined ? 'unreadable' : undefined
      return { entry: record, bytes: Buffer.byteLength(JSON.stringify(record.checkpoint)) }
    }

  const summary =
    (stage: string | undefined) =>
    async (job: string): Promise<Found<ListedCheckpoint>> => {
      const answer = await redis.run(SUMMARY, keysOf(job), [stage ?? ''])
      if (answer === null) return undefined
      const [text, revision = 0, attempt = 0, leftMs = 0] = answer as [Buffer, number?, number?, number?]
      const read = isUtf8(text) ? readCheckpoint(text.toString()) : undefined
      if (read === undefined) return 'unreadable'
      const { item_ids: _, ...checkpoint } = read
      const expiresAt = clock.wallNow() + (leftMs < 0 ? ttlMs : leftMs)
      return { entry: { job, checkpoint, revision, attempt, expiresAt }, bytes: text.length }
    }

  const progress = async (job: string): Promise<Found<JobProgress>> => {
    const answer = await redis.run(PROGRESS, keysOf(job), [])
    if (answer === null) return undefined
    const stages = (answer as [Buffer, Buffer, Buffer][]).map(([stage, completed, total]) => ({
      stage: stage.toString(),
      completed_items: Number(completed),
      total_items: Number(total),
    }))
    return stages.length === 0 ? 'unreadable' : { entry: { job, stages }, bytes: stages.length * STAGE_BYTES }
  }

  return {
    list: async (stage, limit, after, withItems = false) => {
      const find = withItems ? whole(stage) : summary(stage)
      const atOnce = withItems ? AT_ONCE.whole : AT_ONCE.summary
      const { entries, ...end } = await paged(limit, after, atOnce, find)
      return { records: entries, ...end }
    },
    progress: async (limit, after) => {
      const { entries, ...end } = await paged(limit, after, AT_ONCE.summary, progress)
      return { jobs: entries, ...end }
    },
  }
}

/** Approximate size of a stage in an answer, in bytes. */
const STAGE_BYTES = 128

/** A key that another program wrote may have another type. */
async function sparing<R>(found: Promise<Found<R>>): Promise<Found<R>> {
  try {
    return await found
  } catch (error) {
    if (error instanceof RedisRefusal) return 'unreadable'
    throw error
  }
}
