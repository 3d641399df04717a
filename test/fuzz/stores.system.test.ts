/** Short fuzz of the control API and of store contents; `npm run fuzz -- --part stores` runs the long one. */

import { expect, test } from 'vitest'
import { needs } from '../support/needs.ts'
import { hasRedis, startRedis } from '../support/redis.ts'
import { chance } from './chance.ts'
import { controlCalls, spoiltFile, strangeKeys, strangeRows } from './rounds.ts'

const SEED = Number(process.env.FUZZ_SEED ?? 2)
const LIMIT_MS = 90_000

needs('redis-server', hasRedis)

test(`control API: calls of seed ${SEED} stop no store and change no id`, { timeout: LIMIT_MS }, async () => {
  expect(
    await controlCalls(
      chance(SEED),
      Array.from({ length: 100 }, (_, n) => n),
    ),
  ).toEqual([])
})

test(`file store: with foreign rows of seed ${SEED}, lists and reads still work`, { timeout: LIMIT_MS }, async () => {
  expect(await strangeRows(chance(SEED))).toEqual([])
})

test(`file store: with a corrupted file of seed ${SEED}, requests are still served`, {
  timeout: LIMIT_MS,
}, async () => {
  expect(await spoiltFile(chance(SEED))).toEqual([])
})

test.runIf(hasRedis)(
  `Redis store: with foreign values of seed ${SEED}, lists and reads still work`,
  { timeout: LIMIT_MS },
  async (t) => {
    expect(await strangeKeys(chance(SEED), await startRedis(t))).toEqual([])
  },
)
