import type { Bench } from '../bench.ts'
import { breakwater, measuredBreakwater } from '../contestants/breakwater.ts'
import { type Entrant, samplesOf, urlOf } from '../entrants.ts'
import { freePort } from '../machine/ports.ts'
import type { Section } from '../report.ts'
import { metered } from '../rounds.ts'
import { median } from '../statistics.ts'

/** Measures the share of the garbage collector's pauses in the CPU time under load, as the sidecar's own metrics tell it. */
export async function garbage(bench: Bench): Promise<Section> {
  const shares = bench.contestants.includes(breakwater) ? await measured(bench) : []
  return {
    title: 'Garbage collection',
    headers: ['proxy', 'share of CPU time'],
    rows: shares.length === 0 ? [] : [[breakwater.name, `${(100 * median(shares)).toFixed(1)} %`]],
    verdicts: [
      {
        target: "the garbage collector's share under load at most 8 %",
        limit: 8,
        unit: ' %',
        values: shares.map((share) => 100 * share),
      },
    ],
  }
}

async function measured(bench: Bench): Promise<readonly number[]> {
  const controlPort = await freePort()
  return samplesOf(bench, measuredBreakwater(controlPort), (entrant) => shareOf(bench, entrant, controlPort))
}

async function shareOf({ fire, options }: Bench, entrant: Entrant, controlPort: number): Promise<number> {
  const before = await pausedSeconds(controlPort)
  const { cpuMs } = await metered(entrant.process.pid, () => fire(urlOf(entrant, '/json'), options.seconds))
  return ((await pausedSeconds(controlPort)) - before) / (cpuMs / 1000)
}

async function pausedSeconds(controlPort: number): Promise<number> {
  const response = await fetch(urlOf({ port: controlPort }, '/metrics'))
  const sums = (await response.text()).matchAll(/^breakwater_nodejs_gc_duration_seconds_sum\S* (\S+)$/gm)
  return [...sums].reduce((sum, [, seconds]) => sum + Number(seconds), 0)
}
