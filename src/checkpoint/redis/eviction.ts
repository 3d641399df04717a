/** Asks whether Redis may delete acknowledged records to make room. */

import type { Clock, Timer } from '../../clock.ts'
import { StoreDown } from '../store.ts'
import type { RedisClient } from './client.ts'

/** Interval in ms: somebody may change the policy while Redis runs. */
const EVERY_MS = 60_000
/** Time in ms to the next try while Redis is down. */
const AGAIN_MS = 1_000

export type EvictionWatch = {
  /** Why records may vanish, as far as known; undefined when they do not. */
  readonly why: () => string | undefined
  readonly close: () => void
}

/** @param tell called with each change of the answer. */
export function watchEviction(
  redis: RedisClient,
  clock: Clock,
  tell: (why: string | undefined) => void,
): EvictionWatch {
  let why: string | undefined
  let timer: Timer | undefined
  let isClosed = false
  const look = async () => {
    let nextMs = EVERY_MS
    try {
      const found = await evictionOf(redis)
      if (found !== why && !isClosed) {
        why = found
        tell(why)
      }
    } catch (error) {
      if (!(error instanceof StoreDown)) throw error
      nextMs = AGAIN_MS // asked again; that Redis is down is told elsewhere
    }
    if (!isClosed) timer = clock.after(nextMs, () => void look())
  }
  void look()
  return {
    why: () => why,
    close: () => {
      isClosed = true
      if (timer !== undefined) clock.cancel(timer)
    },
  }
}

async function evictionOf(redis: RedisClient): Promise<string | undefined> {
  try {
    const all = await redis.infoOfMasters('memory')
    return all.map(evictionIn).find((why) => why !== undefined)
  } catch (error) {
    if (!(error instanceof StoreDown && error.message.includes('NOPERM'))) throw error
    return 'it is not known whether Redis evicts keys: its ACL forbids INFO'
  }
}

/** @param info the section `memory`. */
function evictionIn(info: string): string | undefined {
  const field = (name: string) => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1]
  const policy = field('maxmemory_policy')
  if (policy === undefined || field('maxmemory') === undefined)
    return 'it is not known whether Redis evicts keys: INFO does not say'
  if (policy === 'noeviction' || field('maxmemory') === '0') return undefined
  return `Redis drops checkpoints without a word once it is full: maxmemory-policy is ${policy}, and should be noeviction`
}
