/** Registered jobs in Redis. Its clock is the one that all sidecars share: it says when a job started, and how old it is. */

import type { JobRecord } from '../../job/book.ts'
import { readJob } from '../stored-text.ts'
import { type CheckpointStore, StoreDown, type StoredJob } from '../store.ts'
import type { RedisClient } from './client.ts'
import { KeyIndex } from './key-index.ts'
import { FIND_JOB, REGISTER, REMOVE_JOB, SAVE_JOB } from './scripts.ts'

/** Jobs fetched at once at the start. */
const AT_ONCE = 100

export const jobIndex = (redis: RedisClient) => new KeyIndex(redis, 'breakwater:job:', 'jobs')

export function redisJobs(
  redis: RedisClient,
  index: KeyIndex,
  ttlMs: number,
): Pick<CheckpointStore, 'registerJob' | 'saveJob' | 'findJob' | 'removeJob' | 'jobs'> {
  const keysOf = (id: string) => [`${index.prefix}${id}`, ...index.keysForScripts]

  /** @returns the first arguments of the scripts that write a job. */
  const beforeWrite = async (job: Pick<JobRecord, 'id' | 'inputs' | 'origin' | 'end'>, totalMs: number | undefined) => {
    const { id, inputs, origin, end } = job
    // Until the deadline is over: the index may name a job that is gone, but must name every one that is there.
    await index.beforeWrite(id, ttlMs + (totalMs ?? 0))
    const further = { ...(origin && { origin }), ...(end && { end }) }
    const members = Object.entries(further).map(([name, value]) => `,"${name}":${JSON.stringify(value)}`)
    return [JSON.stringify(id), JSON.stringify(inputs), id, ttlMs, members.join(''), totalMs ?? '']
  }

  const written = (id: string, answer: [Buffer, number]): StoredJob => {
    const stored = storedIn(answer)
    if (stored === undefined) throw new StoreDown(`Redis: the value of ${index.prefix}${id} is no job`)
    return stored
  }

  const findJob = async (id: string): Promise<StoredJob | undefined> => {
    const answer = await redis.run(FIND_JOB, [`${index.prefix}${id}`], [])
    return answer === null ? undefined : storedIn(answer as [Buffer, number])
  }

  return {
    registerJob: async (job, isChange = false) => {
      const { id, totalMs, startedAt } = job
      const words = await beforeWrite(job, totalMs)
      const answer = await redis.run(REGISTER, keysOf(id), [...words, startedAt ?? '', isChange ? '1' : ''])
      if (answer === null) return undefined
      const [text, now, isNew] = answer as [Buffer, number, number]
      return { ...written(id, [text, now]), isNew: isNew === 1 }
    },
    saveJob: async (record, ageMs) => {
      const totalMs = record.deadlineAt === undefined ? undefined : record.deadlineAt - record.startedAt
      const words = await beforeWrite(record, totalMs)
      const answer = await redis.run(SAVE_JOB, keysOf(record.id), [...words, Math.round(ageMs)])
      return written(record.id, answer as [Buffer, number])
    },
    findJob,
    removeJob: async (id) => {
      await redis.run(REMOVE_JOB, keysOf(id), [id])
    },
    jobs: async () => {
      const all: StoredJob[] = []
      let names = await index.namesAfter(undefined, AT_ONCE)
      while (names.length > 0) {
        for (const stored of await Promise.all(names.map(findJob))) if (stored !== undefined) all.push(stored)
        names = await index.namesAfter(names.at(-1), AT_ONCE)
      }
      return all
    },
  }
}

function storedIn([text, now]: [Buffer, number]): StoredJob | undefined {
  const record = readJob(text.toString())
  return record && { record, ageMs: now - record.startedAt }
}
