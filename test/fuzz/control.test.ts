/** A short run of the fuzz of the control API; `npm run fuzz -- --what control` is the long one. */

import { readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { chance } from './chance.ts'
import { controlConfig, controlRound } from './control.ts'
import { runSidecar } from './sidecar.ts'

const SEED = Number(process.env.FUZZ_SEED ?? 11)
const CALLS = Array.from({ length: 500 }, (_, n) => n)

test.runIf(readdirSync('/').includes('proc'))(
  `control: after calls of seed ${SEED} the store is up and plain calls are served`,
  async (t) => {
    const sidecar = await runSidecar(controlConfig('memory:'))
    t.onTestFinished(() => sidecar.kill())
    expect(await controlRound(sidecar, chance(SEED), CALLS, 20)).toEqual([])
  },
  60_000,
)
