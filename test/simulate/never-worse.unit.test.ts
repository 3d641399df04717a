/**
 * The first law on a virtual clock: the faults of `npm run bench:direct` that need no socket, with the same client directly and
 * through the sidecar on its defaults.
 */

import { expect, test } from 'vitest'
import { FAULTS } from '../../bench/direct/faults/all.ts'
import { judge } from '../../bench/direct/verdict.ts'
import { playVirtually } from './virtual-direct.ts'

/** Seconds that clients wait for an answer: as long as most do, as httpx does unless it is told otherwise, and as a person does. */
const PATIENCES = [70, 5, 2]

const faults = FAULTS.filter(({ onWire }) => onWire !== true)

test.for(PATIENCES.flatMap((patience) => faults.map((fault) => [fault.name, patience, fault] as const)))(
  'never worse than direct: %s, for clients that wait %d s',
  async ([, patience, fault]) => {
    const [direct, sidecar] = [
      await playVirtually(fault, 'direct', patience),
      await playVirtually(fault, 'sidecar', patience),
    ]
    if (process.env.SHOW) console.info(fault.name, patience, JSON.stringify({ direct, sidecar }))
    const { isWorse, text } = judge(direct, sidecar, fault.chance)
    expect(isWorse, text).toBe(false)
    // The budget of retries: a fifth of the requests, and three a second.
    expect(sidecar.calls).toBeLessThanOrEqual(1.2 * sidecar.made + 3 * (sidecar.endedAt + 10))
  },
)
