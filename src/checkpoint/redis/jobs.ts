/** Registered jobs in Redis. Its clock is the one that all sidecars share: it says when a job started, and how old it is. */

import { readJob } from '../stored-text.ts'
import { type CheckpointStore, StoreDown, type StoredJob } from '../store.ts'
import type { RedisClient } from './client.ts'
import { KeyIndex } from './key-index.ts'
import { FIND_JOB, REGISTER, REMOVE_JOB } from './scripts.ts'

/** Jobs fetched at once at the start. */
const AT_ONCE = 100

export const jobIndex = (redis: RedisClient) => new KeyIndex(redis, 'breakwater:job:', 'jobs')

export function redisJobs(
  redis: RedisClient,
  index: KeyIndex,
  ttlMs: number,
): Pick<CheckpointStore, 'registerJob' | 'findJob' | 'removeJob' | 'jobs'> {
  const keysOf = (id: string) => [`${index.prefix}${id}`, ...index.keysForScripts]

  const findJob = async (id: string): Promise<StoredJob | undefined> => {
    const answer = await redis.run(FIND_JOB, [`${index.prefix}${id}`], [])
    return answer === null ? undefined : storedIn(answer as [Buffer, number])
  }

  return {
    registerJob: async ({ id, inputs, totalMs, startedAt }, isChange = false) => {
      // Until the deadline is over: the index may name a job that is gone, but must name every one that is there.
      await index.beforeWrite(id, ttlMs + (totalMs ?? 0))
      const words = [JSON.stringify(id), JSON.stringify(inputs), id, totalMs ?? '', startedAt ?? '']
      const answer = await redis.run(REGISTER, keysOf(id), [...words, ttlMs, isChange ? '1' : ''])
      if (answer === null) return undefined
      const [text, now, isNew] = answer as [Buffer, number, number]
      const stored = storedIn([text, now])
      if (stored === undefined) throw new StoreDown(`Redis: the value of ${index.prefix}${id} is no job`)
      return { ...stored, isNew: isNew === 1 }
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
