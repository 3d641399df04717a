/**
 * The long fuzz: `npm run fuzz -- --minutes 10 --seed 7`. Ends with 1 when it found something. A finding names its seed and its
 * round: `--seed 7 --from 12 --rounds 1` repeats that one, and `--only 3,17` some of its talks alone.
 */

import { parseArgs } from 'node:util'
import { chance } from './chance.ts'
import { Ground } from './round.ts'
import { FEATURES, type Feature } from './talks.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    minutes: { type: 'string', default: '1' },
    from: { type: 'string', default: '0' },
    rounds: { type: 'string', default: '1000000' },
    talks: { type: 'string', default: '400' },
    atOnce: { type: 'string', default: '80' },
    only: { type: 'string' },
    without: { type: 'string', default: '' },
    endless: { type: 'boolean', default: false },
  },
})
const seed = Number(values.seed)
const without = new Set(FEATURES.filter((feature): feature is Feature => values.without.split(',').includes(feature)))
const numbers = values.only?.split(',').map(Number) ?? Array.from({ length: Number(values.talks) }, (_, n) => n)
const until = performance.now() + Number(values.minutes) * 60_000
const write = (line: string) => void process.stdout.write(`${line}\n`)

write(`seed ${seed}`)
let requests = 0
let found = 0
let ground = await Ground.open(chance(seed))
for (
  let n = Number(values.from);
  n < Number(values.from) + Number(values.rounds) && performance.now() < until;
  n += 1
) {
  const result = await ground.round(chance(seed).fork(n), numbers, Number(values.atOnce), without)
  requests += result.requests
  found += result.findings.length
  const { sidecar } = ground
  const state =
    sidecar.ending() === undefined
      ? `peak ${sidecar.peakMemory()} MiB, ${sidecar.openFiles().length} files`
      : 'it ended'
  write(`seed ${seed} round ${n}: ${result.requests} requests, ${result.findings.length} findings, ${state}`)
  for (const finding of result.findings) write(`  ${finding}`)
  if (result.suspects.length > 0) write(`  under way at its end: --only ${result.suspects.join(',')}`)
  if (result.findings.length > 0) {
    await ground.close()
    if (!values.endless) break
    ground = await Ground.open(chance(seed))
  }
}
await ground.close()
write(`seed ${seed}: ${requests} requests, ${found} findings`)
process.exitCode = found === 0 ? 0 : 1
