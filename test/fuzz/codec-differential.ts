/**
 * The long comparison of the codec with llhttp: `npm run fuzz:codec -- --minutes 10 --seed 7`. With `--sockets` it is the one of
 * both connections with undici and node:http, over real sockets. Exits with 1 after a finding, which names its seed and stream:
 * `--seed 7 --from 1234 --streams 1` repeats it.
 */

import { parseArgs } from 'node:util'
import { compareStreams } from '../http1/differential.ts'
import { compareOnSockets } from '../http1/sockets/socket-run.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    minutes: { type: 'string', default: '1' },
    from: { type: 'string', default: '0' },
    streams: { type: 'string', default: '1000000000' },
    sockets: { type: 'boolean', default: false },
  },
})

const atOnce = values.sockets ? 1_000 : 20_000
const compare = values.sockets ? compareOnSockets : compareStreams

const seed = Number(values.seed)
const last = Number(values.from) + Number(values.streams)
const until = process.cpuUsage().user + Number(values.minutes) * 60_000_000
const write = (line: string) => void process.stdout.write(`${line}\n`)
const stricter = new Map<string, number>()
let agreed = 0
let found = 0
let from = Number(values.from)

write(`seed ${seed}`)
while (from < last && process.cpuUsage().user < until && found === 0) {
  const to = Math.min(last, from + atOnce)
  const run = await compare(seed, from, to)
  for (const defect of run.defects) write(defect)
  for (const [reason, count] of run.stricter) stricter.set(reason, (stricter.get(reason) ?? 0) + count)
  agreed += run.agreed
  found += run.defects.length
  from = to
}
for (const [reason, count] of [...stricter].sort()) write(`  refused by the codec alone, ${count}: ${reason}`)
write(`seed ${seed}: ${from - Number(values.from)} streams, ${agreed} messages agree, ${found} findings`)
process.exitCode = found === 0 ? 0 : 1
