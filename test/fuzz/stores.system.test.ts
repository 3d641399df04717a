/** Short runs of the fuzz of the control API and of what a store may hold; `npm run fuzz -- --part stores` is the long one. */

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

test(`file store: strange rows of seed ${SEED} stop no list and no read`, { timeout: LIMIT_MS }, async () => {
  expect(await strangeRows(chance(SEED))).toEqual([])
})

test(`file store: a spoilt file of seed ${SEED} keeps no traffic from being served`, {
  timeout: LIMIT_MS,
}, async () => {
  expect(await spoiltFile(chance(SEED))).toEqual([])
})

test.runIf(hasRedis)(
  `Redis store: strange keys of seed ${SEED} stop no list and no read`,
  { timeout: LIMIT_MS },
  async (t) => {
    expect(await strangeKeys(chance(SEED), await startRedis(t))).toEqual([])
  },
)
