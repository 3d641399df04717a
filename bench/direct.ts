/** Plays faults with the same client directly and through the sidecar on its defaults. See README.md. */

import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as wait } from 'node:timers/promises'
import { makeCertificate } from './direct/certificate.ts'
import type { Fault } from './direct/fault.ts'
import { FAULTS } from './direct/faults/all.ts'
import { type Options, readOptions } from './direct/options.ts'
import { prepare, type Score, type Stage } from './direct/play.ts'
import { type Row, tableText } from './direct/report.ts'
import { judge } from './direct/verdict.ts'
import { createWorkplace } from './machine/processes.ts'
import { UsageError } from './options.ts'

const USAGE = `node bench/direct.ts [--only restart] [--sidecar <checkout>] [--scale 1]

faults: ${FAULTS.map(({ name }) => name).join('; ')}
`

/** Faults that are played at once. */
const AT_ONCE = 10

/** Time between the starts of the first ones: the first requests of a sidecar take much CPU. */
const APART_MS = 1000

/** Stall of the bench itself, in seconds, after which a row that is worse is not held against the sidecar. */
const BUSY_S = 0.25

/**
 * Whether a row says more of the machine than of the sidecar: others took the CPU from the bench, and so from upstreams, clients
 * and sidecars.
 */
const isTooBusy = ({ verdict, lagS }: Row) => verdict.isWorse && lagS > BUSY_S

const complain = (text: string) => void process.stderr.write(text)

try {
  const worse = await run(readOptions(process.argv.slice(2)))
  process.exitCode = worse > 0 ? 1 : 0
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  complain(`${error.message}\n\n${USAGE}`)
  process.exitCode = 2
}
process.exit()

/** @returns the number of faults with which the sidecar is worse. */
async function run({ only, root, scale }: Options): Promise<number> {
  const asked = FAULTS.filter(({ name }) => name.includes(only))
  if (asked.length === 0) throw new UsageError(`--only: no fault's name contains ${only}`)
  const { folder, processes } = createWorkplace()

  const certificate = makeCertificate(folder)
  const faults = asked.filter(({ tls }) => tls !== true || certificate !== undefined)
  const stage = { scale, root, folder, processes, certificate }
  const rows: Row[] = []
  for (const row of await playAll(faults, stage)) rows.push(isTooBusy(row) ? await playAgain(row, stage) : row)
  const unjudged = rows.filter(isTooBusy)
  const worse = rows.filter((row) => row.verdict.isWorse && !isTooBusy(row)).length
  process.stdout.write(`${tableText(rows)}\n${rows.length} faults; the sidecar is worse with ${worse}.\n`)
  for (const { fault, lagS } of unjudged)
    process.stdout.write(`Not judged: ${fault.name}. The bench itself was stalled for ${lagS.toFixed(2)} s.\n`)
  if (faults.length < asked.length) process.stdout.write('Left out without openssl: the upstream with TLS.\n')
  return worse
}

/** Plays a fault once more, by itself. */
async function playAgain({ fault, lagS }: Row, stage: Stage): Promise<Row> {
  complain(`${fault.name}: once more, since the bench was stalled for ${lagS.toFixed(2)} s\n`)
  return compare(await contestOf(fault, stage))
}

async function contestOf(fault: Fault, stage: Stage): Promise<Contest> {
  return {
    fault,
    direct: await prepare(fault, 'direct', stage),
    sidecar: await prepare(fault, 'sidecar', stage),
  }
}

/** Plays the faults side by side, then those that need the machine for themselves. */
async function playAll(faults: readonly Fault[], stage: Stage): Promise<Row[]> {
  complain(`starting ${faults.length} sidecars\n`)
  // All sidecars start before the first fault: a start takes the CPU from whoever is being measured.
  const contests: Contest[] = []
  for (const fault of faults) contests.push(await contestOf(fault, stage))

  const delay = monitorEventLoopDelay()
  delay.enable()
  const rows = new Map<Fault, Row>()
  const queue = contests.filter(({ fault }) => fault.alone !== true)
  const playQueue = async (_: unknown, place: number) => {
    await wait(place * APART_MS)
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) rows.set(next.fault, await compare(next))
  }
  await Promise.all(Array.from({ length: AT_ONCE }, playQueue))
  for (const contest of contests) if (contest.fault.alone === true) rows.set(contest.fault, await compare(contest))
  // A machine that others use stalls upstreams and clients too, and moves calls across the ends of a fault.
  complain(`longest stall of the bench itself: ${(delay.max / 1e9).toFixed(2)} s\n`)
  return faults.flatMap((fault) => rows.get(fault) ?? [])
}

type Contest = {
  readonly fault: Fault
  readonly direct: () => Promise<Score>
  readonly sidecar: () => Promise<Score>
}

async function compare({ fault, direct: playDirect, sidecar: playSidecar }: Contest): Promise<Row> {
  const delay = monitorEventLoopDelay()
  delay.enable()
  const directly = playDirect()
  if (fault.alone === true) await directly
  const [direct, sidecar] = await Promise.all([directly, playSidecar()])
  const verdict = judge(direct, sidecar, fault.chance)
  delay.disable()
  complain(`${fault.name}: ${verdict.text}\n`)
  return { fault, direct, sidecar, verdict, lagS: delay.max / 1e9 }
}
