import type { Bench } from '../bench.ts'
import { ratiosTo } from '../comparison.ts'
import { breakwater, loggingBreakwater } from '../contestants/breakwater.ts'
import { type Entrant, launch, stopAll, urlOf, warmUp } from '../entrants.ts'
import type { Section } from '../report.ts'
import { inTurns, metered, type Results } from '../rounds.ts'
import { median } from '../statistics.ts'

/** Measures the CPU time of the access log: a line for each small GET, to /dev/null. */
export async function log(bench: Bench): Promise<Section> {
  const results = bench.contestants.includes(breakwater) ? await measured(bench) : new Map<string, number[]>()
  return {
    title: 'Access log',
    headers: ['proxy', 'CPU µs a request'],
    rows: [...results].map(([name, samples]) => [name, median(samples).toFixed(1)]),
    verdicts: [
      {
        target: 'CPU per request with the access log at most 1.3 × without',
        limit: 1.3,
        unit: '',
        values: ratiosTo(results, loggingBreakwater.name, breakwater.name, (cpuUs) => cpuUs),
      },
    ],
  }
}

async function measured(bench: Bench): Promise<Results<number>> {
  const entrants: Entrant[] = []
  try {
    for (const contestant of [breakwater, loggingBreakwater]) entrants.push(await launch(bench, contestant))
    for (const entrant of entrants) await warmUp(bench, entrant)
    return await inTurns(bench, entrants, (entrant) => cpuUsOf(bench, entrant))
  } catch (error) {
    bench.skip(breakwater.name, String(error))
    return new Map()
  } finally {
    await stopAll(entrants)
  }
}

async function cpuUsOf({ fire, options }: Bench, entrant: Entrant): Promise<number> {
  const { done, cpuMs } = await metered(entrant.process.pid, () => fire(urlOf(entrant, '/json'), options.seconds))
  return (cpuMs * 1000) / done.requests
}
