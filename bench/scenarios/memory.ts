import { setTimeout as delay } from 'node:timers/promises'
import type { Bench } from '../bench.ts'
import { breakwater, holdingBreakwater } from '../contestants/breakwater.ts'
import type { Contestant } from '../contestants/contestant.ts'
import { launch } from '../entrants.ts'
import { openClients } from '../load/clients.ts'
import { usageOf } from '../machine/usage.ts'
import type { Section } from '../report.ts'
import { inTurns } from '../rounds.ts'
import { median } from '../statistics.ts'

const CLIENTS = 2_000
/** Time after which memory has settled: what was read last has been answered, and timers that begin with the start have run. */
const SETTLING_MS = 3_000

type Sample = { readonly idleBytes: number; readonly clientsBytes: number }

/** Measures resident memory without load: of the process alone, and with idle connections and held polls. */
export async function memory(bench: Bench): Promise<Section> {
  const contestants = bench.contestants.includes(breakwater) ? [breakwater, holdingBreakwater] : []
  const results = await inTurns(bench, contestants, (contestant) => sampleOf(bench, contestant))
  const of = ({ name }: Contestant) => results.get(name) ?? []
  const addedMb = ({ idleBytes, clientsBytes }: Sample) => (clientsBytes - idleBytes) / 1e6
  const idleMb = ({ idleBytes }: Sample) => idleBytes / 1e6
  return {
    title: 'Resident memory without load',
    headers: ['proxy', 'idle MB', `MB more with ${CLIENTS} clients`],
    rows: [...results].map(([name, samples]) => [
      name,
      median(samples.map(idleMb)).toFixed(0),
      median(samples.map(addedMb)).toFixed(1),
    ]),
    verdicts: [
      { target: 'resident memory at most 70 MB when idle', limit: 70, unit: ' MB', values: of(breakwater).map(idleMb) },
      {
        target: `${CLIENTS} idle client connections take at most 25 MB`,
        limit: 25,
        unit: ' MB',
        values: of(breakwater).map(addedMb),
      },
      {
        target: `${CLIENTS} held polls take at most 40 MB`,
        limit: 40,
        unit: ' MB',
        values: of(holdingBreakwater).map(addedMb),
      },
    ],
  }
}

async function sampleOf(bench: Bench, contestant: Contestant): Promise<Sample> {
  const { port, process } = await launchIdle(bench, contestant)
  try {
    await delay(SETTLING_MS)
    const idleBytes = usageOf(process.pid).residentBytes
    // Each held poll asks for something else, so that none shares the upstream's answer with another.
    const close = await openClients(port, CLIENTS, (n) => `/json?n=${n}`, contestant === breakwater)
    await delay(SETTLING_MS)
    const clientsBytes = usageOf(process.pid).residentBytes
    close()
    return { idleBytes, clientsBytes }
  } finally {
    await process.stop()
  }
}

/** A held poll is no answer to wait for: another path tells that the sidecar is there. */
const launchIdle = (bench: Bench, contestant: Contestant) => launch(bench, contestant, `/bytes/${2 ** 20}`)
