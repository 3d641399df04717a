/**
 * Checkpoints in Redis, under the key and in the format of the existing service, so that either reads what the other
 * wrote; what only the sidecar needs stands under keys of its own.
 */

import type { Clock } from '../clock.ts'
import { type JobRecord, keptUntil } from '../job/book.ts'
import { isoTime } from '../clock.ts'
import type { RedisClient } from './redis-client.ts'
import { type Append, type Checkpoint, progressOf, type StoredCheckpoint } from './record.ts'
import { APPEND, CLEAR, LOAD, SAVE } from './redis-scripts.ts'
import {
  type CheckpointStore,
  type Page,
  type Precondition,
  StoreDown,
  type StoreSettings,
  type Written,
} from './store.ts'

const RECORD = 'checkpoint:granular:'
const JOB = 'breakwater:job:'
/** Before the name of an older stage, in the hash of ours. */
const STAGE = 'stage:'
/** A page is made of all keys there are: beyond this it is given up, in ms. */
const LIST_MS = 1_500

/** A hash tag keeps a job's two keys on one node of a cluster. */
const keysOf = (job: string) => [`${RECORD}${job}`, `breakwater:{${RECORD}${job}}`]

const conditions = ({ ifMatch, ifNoneMatch, attempt }: Precondition) => [
  ifMatch ?? '',
  ifNoneMatch ?? '',
  attempt ?? '',
]

export function redisStore(redis: RedisClient, settings: StoreSettings, clock: Clock): CheckpointStore {
  const { ttlMs, maxItems } = settings

  const written = (job: string, answer: unknown): Written => {
    const [outcome, ...rest] = answer as [string, ...unknown[]]
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
    return written(job, await redis.run(SAVE, keysOf(job), args))
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
    return written(job, await redis.run(APPEND, keysOf(job), args))
  }

  const load = async (job: string, stage: string | undefined): Promise<StoredCheckpoint | undefined> => {
    const answer = await redis.run(LOAD, keysOf(job), [stage ?? ''])
    if (answer === null) return undefined
    const [text, revision, attempt, leftMs] = answer as [string, number, number, number]
    const checkpoint = read(text)
    const expiresAt = clock.wallNow() + (leftMs < 0 ? ttlMs : leftMs)
    return checkpoint && { job, checkpoint, revision, attempt, expiresAt }
  }

  const stages = async (job: string): Promise<string[]> => {
    const [, own = ''] = keysOf(job)
    const fields = await redis.ask((client) => client.hkeys(own))
    const newest = (await load(job, undefined))?.checkpoint.stage
    if (newest === undefined) return []
    return [...fields.filter((field) => field.startsWith(STAGE)).map((field) => field.slice(STAGE.length)), newest]
  }

  const list = async (stage: string | undefined, limit: number, after: string | undefined): Promise<Page> => {
    const startedAt = clock.now()
    const jobs = (await redis.keys(`${RECORD}*`)).map((key) => key.slice(RECORD.length)).sort()
    const records: StoredCheckpoint[] = []
    let from = after === undefined ? 0 : jobs.findIndex((job) => job > after)
    while (from >= 0 && from < jobs.length && records.length <= limit) {
      if (clock.now() - startedAt > LIST_MS) throw new StoreDown('Redis: too many keys to go through')
      const some = jobs.slice(from, from + limit + 1)
      const loaded = await Promise.all(some.map((job) => load(job, stage)))
      records.push(...loaded.filter((record) => record !== undefined))
      from += some.length
    }
    const page = records.slice(0, limit)
    return { records: page, next: records.length > limit ? page.at(-1)?.job : undefined }
  }

  const saveJob = async (record: JobRecord): Promise<void> => {
    const now = clock.wallNow()
    const lifeMs = Math.ceil(keptUntil(record, now, ttlMs) - now)
    await redis.ask((client) => client.set(`${JOB}${record.id}`, JSON.stringify(record), 'PX', lifeMs))
  }

  const jobs = async (): Promise<JobRecord[]> => {
    const keys = await redis.keys(`${JOB}*`)
    const texts = await Promise.all(keys.map((key) => redis.ask((client) => client.get(key))))
    return texts.filter((text) => text !== null).map((text) => JSON.parse(text))
  }

  return {
    save,
    append,
    load,
    stages,
    clear: async (job, { ifMatch, ifNoneMatch }) =>
      (await redis.run(CLEAR, keysOf(job), [ifMatch ?? '', ifNoneMatch ?? ''])) === 1,
    list,
    saveJob,
    removeJob: async (id) => {
      await redis.ask((client) => client.del(`${JOB}${id}`))
    },
    jobs,
    close: async () => redis.close(),
  }
}

/** Exactly the seven fields, as the existing service writes them. */
const inOrder = (checkpoint: Checkpoint): Checkpoint => ({
  stage: checkpoint.stage,
  progress: checkpoint.progress,
  completed_items: checkpoint.completed_items,
  total_items: checkpoint.total_items,
  item_ids: checkpoint.item_ids,
  metadata: checkpoint.metadata,
  timestamp: checkpoint.timestamp,
})

/** What another writer left may lack a field; undefined when it is no checkpoint at all. */
function read(text: string): Checkpoint | undefined {
  const said = parsed(text)
  if (typeof said?.stage !== 'string') return undefined
  const itemIds = Array.isArray(said.item_ids) ? said.item_ids.map(String) : []
  const completed = Number(said.completed_items ?? itemIds.length)
  const total = Number(said.total_items ?? 0)
  return {
    stage: said.stage,
    progress: Number(said.progress ?? progressOf(completed, total)),
    completed_items: completed,
    total_items: total,
    item_ids: itemIds,
    metadata: isObject(said.metadata) ? said.metadata : {},
    timestamp: String(said.timestamp ?? ''),
  }
}

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
