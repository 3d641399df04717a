/**
 * Brings keys that other programs and earlier versions wrote into the indexes: goes through the whole database in the
 * background, a few keys at a time with long pauses. Of several sidecars on one Redis one does it.
 */

import type { Clock, Timer } from '../../clock.ts'
import { StoreDown } from '../store.ts'
import type { RedisClient } from './client.ts'
import type { KeyIndex } from './key-index.ts'

/** Matches how the keys of records and of jobs begin ("check", "break"), so that one pass finds both. */
const PATTERN = '[cb][hr]e[ca]k*:*'
const KEYS_AT_ONCE = 1_000
/** A pause is this many times as long as the step before it, within bounds in ms: Redis gives a pass 2 % of its time. */
const PAUSE = { factor: 50, least: 20, most: 5_000 }
/** The rest between two passes is this many times as long as the steps of a pass together, but at least so many ms. */
const REST = { factor: 100, least: 60_000 }
/** Delay in ms of the first pass, and of another try while the store is down. */
const SOON_MS = 1_000
/** Held by the sidecar that goes through the keys, and after it for the rest. */
const LEASE = 'breakwater:{index}:scan'
const LEASE_MS = 30_000
/** Answer of PTTL for a key that does not exist. */
const GONE = -2

/**
 * Starts the first pass. Nobody waits for it.
 * @param ttlMs time for which a key without an expiry stays in its index before a pass has to find it again.
 */
export function startAdoption(
  redis: RedisClient,
  indexes: readonly KeyIndex[],
  ttlMs: number,
  clock: Clock,
  fault: (error: unknown) => void,
): { readonly close: () => void } {
  let timer: Timer | undefined
  let isClosed = false
  const wait = (ms: number) =>
    new Promise<void>((resolve) => {
      timer = clock.after(ms, resolve)
    })

  const adopt = async (keys: readonly string[]) => {
    for (const index of indexes) {
      const names = keys.filter((key) => key.startsWith(index.prefix)).map((key) => key.slice(index.prefix.length))
      const missing = await index.missing(names)
      const lives = await Promise.all(
        missing.map((name) => redis.ask((client) => client.pttl(`${index.prefix}${name}`))),
      )
      const entries = missing.map((name, i) => [name, lives[i] ?? GONE] as const)
      const there = entries.filter(([, lifeMs]) => lifeMs !== GONE)
      await index.add(there.map(([name, lifeMs]) => [name, lifeMs < 0 ? ttlMs : lifeMs]))
    }
  }

  /** @returns ms to rest after the pass. */
  const pass = async (): Promise<number> => {
    for (const index of indexes) await index.sweep()
    if (!(await redis.hold(LEASE, LEASE_MS))) return REST.least
    let tookMs = 0
    let startedAt = clock.now()
    for await (const keys of redis.keysInSteps(PATTERN, KEYS_AT_ONCE)) {
      await adopt(keys)
      const stepMs = clock.now() - startedAt
      tookMs += stepMs
      await redis.keep(LEASE, LEASE_MS)
      await wait(Math.min(Math.max(PAUSE.factor * stepMs, PAUSE.least), PAUSE.most))
      if (isClosed) return 0
      startedAt = clock.now()
    }
    const restMs = Math.max(REST.factor * tookMs, REST.least)
    await redis.keep(LEASE, restMs)
    return restMs
  }

  const run = async () => {
    for (let restMs = SOON_MS; !isClosed; ) {
      await wait(restMs)
      try {
        restMs = await pass()
      } catch (error) {
        if (!(error instanceof StoreDown)) fault(error)
        restMs = error instanceof StoreDown ? SOON_MS : REST.least
      }
    }
  }
  void run()
  return {
    close: () => {
      isClosed = true
      if (timer !== undefined) clock.cancel(timer)
    },
  }
}
