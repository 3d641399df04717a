/** A short run of the fuzz of the data path; `npm run fuzz` is the long one. */

import { readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { chance } from './chance.ts'
import { Ground } from './round.ts'
import { FEATURES, talk } from './talks.ts'

const SEED = Number(process.env.FUZZ_SEED ?? 5)
const TALKS = Array.from({ length: 120 }, (_, n) => n)

test('talks: the same seed draws the same talks', () => {
  const drawn = () => TALKS.map((number) => talk(number, chance(SEED).fork(number), new Set()))
  expect(drawn()).toEqual(drawn())
})

test('talks: no excluded feature is drawn', () => {
  const text = TALKS.flatMap((number) => talk(number, chance(SEED).fork(number), new Set(FEATURES)).steps)
    .map((step) => (step.kind === 'write' ? step.bytes.toString('latin1') : step.kind))
    .join('\n')
  expect(text).not.toMatch(/^(?:Upgrade|Expect|Transfer-Encoding)|^CONNECT|^(?:reset|close|end|unread)$/m)
})

test.runIf(readdirSync('/').includes('proc'))(
  `sidecar: requests and answers of seed ${SEED} leave no state behind, and each response belongs to its request`,
  async (t) => {
    const ground = await Ground.open(chance(SEED))
    t.onTestFinished(() => ground.close())
    const { findings } = await ground.round(chance(SEED), TALKS, 60, new Set())
    expect(findings).toEqual([])
  },
  60_000,
)
