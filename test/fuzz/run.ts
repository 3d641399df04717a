/**
 * The long fuzz: `npm run fuzz -- --minutes 10 --seed 7`. Exits with 1 after a finding. A finding names its seed and
 * round: `--seed 7 --from 12 --rounds 1` repeats that round, and `--only 3,17` only these talks of it. `--part data`
 * tests the data path, with one sidecar for all rounds; `--part stores` tests the control API and store contents, with
 * a new sidecar each.
 */

import { parseArgs } from 'node:util'
import { type Chance, chance } from './chance.ts'
import { Ground } from './round.ts'
import { controlCalls, spoiltFile, strangeRows } from './rounds.ts'
import { FEATURES, type Feature } from './talks.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    minutes: { type: 'string', default: '1' },
    part: { type: 'string', default: 'data' },
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
const first = Number(values.from)
const last = first + Number(values.rounds)
let requests = 0
let found = 0
if (values.part === 'stores') await fuzzStores()
else await fuzzDataPath()
write(`seed ${seed}: ${requests} requests, ${found} findings`)
process.exitCode = found === 0 ? 0 : 1

async function fuzzStores(): Promise<void> {
  const parts = { controlCalls: (one: Chance) => controlCalls(one, numbers), strangeRows, spoiltFile }
  for (let n = first; n < last && performance.now() < until; n += 1) {
    for (const [name, act] of Object.entries(parts)) {
      const findings = await act(chance(seed).fork(n))
      found += findings.length
      write(`seed ${seed} round ${n} ${name}: ${findings.length} findings`)
      for (const finding of findings) write(`  ${finding}`)
    }
    requests += numbers.length
    if (found > 0 && !values.endless) break
  }
}

async function fuzzDataPath(): Promise<void> {
  let ground = await Ground.open(chance(seed))
  for (let n = first; n < last && performance.now() < until; n += 1) {
    const result = await ground.round(chance(seed).fork(n), numbers, Number(values.atOnce), without)
    requests += result.requests
    found += result.findings.length
    const { sidecar } = ground
    const state =
      sidecar.ending() === undefined
        ? `${sidecar.memory()} MiB, at most ${sidecar.peakMemory()}, ${sidecar.openFiles().length} files`
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
}
