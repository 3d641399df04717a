/**
 * The sidecar's own index of its keys in Redis, so that lists cost as much as there are entries, however many foreign keys the
 * database has. A name stands in two sorted sets: by expiry, and by name for lists in order. It is entered before its key is
 * written, and may outlive the key, but never the other way round.
 */

import type { RedisClient } from './client.ts'
import { ENTER, scriptOf } from './scripts.ts'

/** Names removed at once, so that a sweep delays no call for long. */
const SWEPT_AT_ONCE = 500

/** ARGV: name, ms to live, name, … */
const ADD = scriptOf(`${ENTER}
for i = 1, #ARGV, 2 do enter(KEYS[1], KEYS[2], ARGV[i], tonumber(ARGV[i + 1])) end
`)

/** ARGV: names. Returns those that are not in the index, or would be swept. */
const MISSING = scriptOf(`${ENTER}
local missing, now = {}, time()
for _, name in ipairs(ARGV) do
  if tonumber(redis.call('ZSCORE', KEYS[1], name) or 0) <= now then missing[#missing + 1] = name end
end
return missing
`)

/** ARGV: largest number. Removes names that have expired; returns how many. */
const SWEEP = scriptOf(`${ENTER}
local gone = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', time()), 'LIMIT', 0, ARGV[1])
if #gone > 0 then
  redis.call('ZREM', KEYS[1], unpack(gone))
  redis.call('ZREM', KEYS[2], unpack(gone))
end
return #gone
`)

export class KeyIndex {
  /** What precedes a name in its key. */
  readonly prefix: string
  readonly #redis: RedisClient
  /** Their hash tag keeps them on one node of a cluster, which is seldom that of an entry. */
  readonly #keys: readonly [byExpiry: string, byName: string]

  constructor(redis: RedisClient, prefix: string, kind: 'records' | 'jobs') {
    this.#redis = redis
    this.prefix = prefix
    this.#keys = [`breakwater:{${kind}}:expiry`, `breakwater:{${kind}}:names`]
  }

  /** For scripts that write a key and its entry in one step: none in a cluster, where they are on different nodes. */
  get keysForScripts(): readonly string[] {
    return this.#redis.isCluster ? [] : this.#keys
  }

  /** Must be awaited before a key is written by a script: one without index keys does not enter the name. */
  async beforeWrite(name: string, lifeMs: number): Promise<void> {
    if (this.#redis.isCluster) await this.add([[name, lifeMs]])
  }

  /** @param entries names, each with the time in ms for which its key lives. */
  async add(entries: readonly (readonly [name: string, lifeMs: number])[]): Promise<void> {
    if (entries.length > 0) await this.#redis.run(ADD, this.#keys, entries.flat())
  }

  /** Those of the names that are not in the index. */
  async missing(names: readonly string[]): Promise<string[]> {
    if (names.length === 0) return []
    return ((await this.#redis.run(MISSING, this.#keys, names)) as Buffer[]).map(String)
  }

  /** The next names in their order. @param after undefined for the first ones. */
  namesAfter(after: string | undefined, count: number): Promise<string[]> {
    const from = after === undefined ? '-' : `(${after}`
    return this.#redis.ask((redis) => redis.zrangebylex(this.#keys[1], from, '+', 'LIMIT', 0, count))
  }

  /** Removes the names of expired keys. */
  async sweep(): Promise<void> {
    for (;;) {
      const swept = await this.#redis.run(SWEEP, this.#keys, [SWEPT_AT_ONCE])
      if (Number(swept) < SWEPT_AT_ONCE) return
    }
  }
}
