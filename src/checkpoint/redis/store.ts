/**
 * Checkpoints in Redis under the key and in the format of the existing service, so that each reads what the other wrote. What
 * only the sidecar needs has its own keys.
 */

import { isUtf8 } from 'node:buffer'
import type { Clock } from '../../clock.ts'
import { isoTime } from '../../clock.ts'
import { type RedisClient, RedisWrongType } from './client.ts'
import { type Append, type Checkpoint, inOrder, type StoredCheckpoint } from '../record.ts'
import { startAdoption } from './adoption.ts'
import { watchEviction } from './eviction.ts'
import { redisHistory } from './history.ts'
import { jobIndex, redisJobs } from './jobs.ts'
import { keysOf, recordIndex, redisPages } from './pages.ts'
import { APPEND, CLEAR, LOAD, SAVE } from './scripts.ts'
import { readCheckpoint } from '../stored-text.ts'
import type { CheckpointStore, Precondition, StoreNews, StoreSettings, Written } from '../store.ts'

const PROBE = 'breakwater:probe:'
const PROBE_LIFE_MS = 10_000
/** Prefix of an older stage's name in the sidecar's hash. */
const STAGE = 'stage:'

const conditions = ({ ifMatch, ifNoneMatch, attempt }: Precondition) => [
  ifMatch ?? '',
  ifNoneMatch ?? '',
  attempt ?? '',
]

// biome-ignore lint/complexity/noExcessiveLinesPerFunction: one short closure an operation of CheckpointStore, over one client, clock and settings.
export function redisStore(
  redis: RedisClient,
  settings: StoreSettings,
  clock: Clock,
  tell: (news: StoreNews) => void,
): CheckpointStore {
  const { ttlMs, maxItems } = settings
  const records = recordIndex(redis)
  const jobs = jobIndex(redis)
  const keys = (job: string) => [...keysOf(job), ...records.keysForScripts]
  const eviction = watchEviction(redis, clock, (why) => tell({ kind: 'evicts', why }))
  const adoption = startAdoption(redis, [records, jobs], ttlMs, clock, (error) => tell({ kind: 'fault', error }))

  const written = (job: string, answer: unknown): Written => {
    const [word, ...rest] = answer as [Buffer, ...unknown[]]
    const outcome = String(word)
    if (outcome === 'mismatch' || outcome === 'unreadable') return { outcome }
    if (outcome === 'older_attempt') return { outcome, attempt: Number(rest[0]) }
    if (outcome === 'too_many') return { outcome, count: Number(rest[0]) }
    const [text, revision, attempt, created] = rest
    const record = { job, checkpoint: JSON.parse(String(text)), expiresAt: clock.wallNow() + ttlMs }
    return {
      outcome: 'saved',
      record: { ...record, revision: Number(revision), attempt: Number(attempt) },
      created: created === 1,
    }
  }

  const save = async (job: string, checkpoint: Checkpoint, precondition: Precondition): Promise<Written> => {
    const count = checkpoint.item_ids.length
    if (count > maxItems) return { outcome: 'too_many', count }
    const args = [...conditions(precondition), ttlMs, checkpoint.stage, JSON.stringify(inOrder(checkpoint))]
    await records.beforeWrite(job, ttlMs)
    return written(job, await unlessWrongType(redis.run(SAVE, keys(job), args), UNREADABLE))
  }

  const append = async (job: string, added: Append, precondition: Precondition): Promise<Written> => {
    const { stage, itemIds, totalItems, metadata } = added
    const args = [
      ...conditions(precondition),
      ttlMs,
      stage,
      JSON.stringify(itemIds),
      totalItems ?? '',
      metadata === undefined ? '' : JSON.stringify(metadata),
      JSON.stringify(isoTime(clock.wallNow())),
      maxItems,
    ]
    await records.beforeWrite(job, ttlMs)
    return written(job, await unlessWrongType(redis.run(APPEND, keys(job), args), UNREADABLE))
  }

  const load = async (job: string, stage: string | undefined): Promise<StoredCheckpoint | undefined> => {
    const answer = await unlessWrongType(redis.run(LOAD, keys(job), [stage ?? '', ttlMs]), null)
    if (answer === null) return undefined
    const [text, revision, attempt, leftMs] = answer as [Buffer, number, number, number]
    const checkpoint = isUtf8(text) ? readCheckpoint(text.toString()) : undefined
    const expiresAt = clock.wallNow() + (leftMs < 0 ? ttlMs : leftMs)
    return checkpoint && { job, checkpoint, revision, attempt, expiresAt }
  }

  const stages = async (job: string): Promise<string[]> => {
    const [, own = ''] = keysOf(job)
    const fields = await unlessWrongType(
      redis.ask((client) => client.hkeys(own)),
      [],
    )
    const newest = (await load(job, undefined))?.checkpoint.stage
    if (newest === undefined) return []
    return [...fields.filter((field) => field.startsWith(STAGE)).map((field) => field.slice(STAGE.length)), newest]
  }

  return {
    isShared: true,
    save,
    append,
    load,
    stages,
    clear: async (job, { ifMatch, ifNoneMatch }) =>
      (await redis.run(CLEAR, keys(job), [ifMatch ?? '', ifNoneMatch ?? ''])) === 1,
    ...redisPages(redis, records, load, settings, clock),
    ...redisJobs(redis, jobs, ttlMs),
    ...redisHistory(redis, settings.instance ?? ''),
    probe: async (value) => {
      const key = `${PROBE}${value}`
      await redis.ask((client) => client.set(key, value, 'PX', PROBE_LIFE_MS))
      const read = await redis.ask((client) => client.get(key))
      await redis.ask((client) => client.del(key))
      return read === value
    },
    risk: eviction.why,
    close: async () => {
      adoption.close()
      eviction.close()
      redis.close()
    },
  }
}

/** Answer of the scripts for a stored value that is not a checkpoint. */
const UNREADABLE = ['unreadable']

/** A key of another type holds no checkpoint. That says nothing about the store. */
async function unlessWrongType<R, F>(answer: Promise<R>, otherwise: F): Promise<R | F> {
  try {
    return await answer
  } catch (error) {
    if (error instanceof RedisWrongType) return otherwise
    throw error
  }
}
