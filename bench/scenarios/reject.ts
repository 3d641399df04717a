import type { Bench } from '../bench.ts'
import { ratiosTo } from '../comparison.ts'
import { breakwater, rejectingBreakwater } from '../contestants/breakwater.ts'
import { type Entrant, launch, launchUntil, stopAll, urlOf, warmUp } from '../entrants.ts'
import type { Volley } from '../load/volley.ts'
import { freePort } from '../machine/ports.ts'
import type { Section } from '../report.ts'
import { inTurns, metered, type Results } from '../rounds.ts'
import { median } from '../statistics.ts'

/** Measures the CPU time of a rejection by an open breaker, compared with a forwarded request. */
export async function reject(bench: Bench): Promise<Section> {
  const results = bench.contestants.includes(breakwater) ? await measured(bench) : new Map<string, Sample[]>()
  return {
    title: 'A rejection by an open breaker',
    headers: ['proxy', 'CPU µs a request', 'answers/s', 'p99 ms'],
    rows: [...results].map(([name, samples]) => [
      name,
      median(samples.map(cpuUs)).toFixed(1),
      median(samples.map(({ perSecond }) => perSecond)).toFixed(0),
      median(samples.map(({ p99Ms }) => p99Ms)).toFixed(2),
    ]),
    verdicts: [
      {
        target: 'a rejection at most 0.4 of the cost of a forwarded request',
        limit: 0.4,
        unit: '',
        values: ratiosTo(results, rejectingBreakwater.name, breakwater.name, cpuUs),
      },
    ],
  }
}

type Sample = { readonly cpuUs: number; readonly perSecond: number; readonly p99Ms: number }

const cpuUs = (sample: Sample) => sample.cpuUs

async function measured(bench: Bench): Promise<Results<Sample>> {
  const entrants: Entrant[] = []
  try {
    entrants.push(await launch(bench, breakwater))
    entrants.push(await launchUntil(bench, rejectingBreakwater, await freePort(), 503))
    for (const entrant of entrants) await warmUp(bench, entrant)
    return await inTurns(bench, entrants, (entrant) => fireAt(bench, entrant))
  } catch (error) {
    bench.skip(breakwater.name, String(error))
    return new Map()
  } finally {
    await stopAll(entrants)
  }
}

async function fireAt({ fire, options }: Bench, entrant: Entrant): Promise<Sample> {
  const { done, cpuMs } = await metered(entrant.process.pid, () => fire(urlOf(entrant, '/json'), options.seconds))
  assertPure(entrant, done)
  return { cpuUs: (cpuMs * 1000) / done.requests, perSecond: done.requests / done.seconds, p99Ms: done.p99Ms }
}

/** @throws Error when an entrant both forwarded and rejected: a mixture measures neither. */
function assertPure({ name }: Entrant, { requests, refused }: Volley): void {
  const expected = name === rejectingBreakwater.name ? requests : 0
  if (refused !== expected) throw new Error(`${refused} of ${requests} answers were refusals, expected ${expected}`)
}
