import type { Bench } from '../bench.ts'
import { ratiosTo } from '../comparison.ts'
import { breakwater, tracedBreakwater } from '../contestants/breakwater.ts'
import { type Entrant, launch, stopAll, urlOf, warmUp } from '../entrants.ts'
import { freePort } from '../machine/ports.ts'
import { usageOf } from '../machine/usage.ts'
import type { Section } from '../report.ts'
import { inTurns, metered, type Results } from '../rounds.ts'
import { median } from '../statistics.ts'

/** Shares of traces that are recorded. */
const SAMPLES = [0, 0.01, 1]

/** Measures the CPU time that tracing adds to a small GET: two spans for each recorded request, encoded and sent. */
export async function trace(bench: Bench): Promise<Section> {
  const results = bench.contestants.includes(breakwater) ? await measured(bench) : new Map<string, Sample[]>()
  return {
    title: 'Tracing',
    headers: ['proxy', 'CPU µs a request', '× off', 'requests/s', 'p99 ms', 'RSS MB', 'spans sent', 'spans dropped'],
    rows: [...results].map(([name, samples]) => {
      const middle = (key: keyof Sample) => median(samples.map((sample) => sample[key]))
      return [
        name,
        middle('cpuUs').toFixed(1),
        median(ratiosTo(results, name, breakwater.name, cpuUs)).toFixed(2),
        middle('perSecond').toFixed(0),
        middle('p99Ms').toFixed(2),
        (middle('residentBytes') / 1e6).toFixed(0),
        middle('exported').toFixed(0),
        middle('dropped').toFixed(0),
      ]
    }),
    verdicts: [],
  }
}

type Sample = Awaited<ReturnType<typeof fireAt>>
type Traced = Entrant & { readonly controlPort: number }

const cpuUs = (sample: Sample) => sample.cpuUs

async function measured(bench: Bench): Promise<Results<Sample>> {
  const entrants: Traced[] = []
  try {
    entrants.push({ ...(await launch(bench, breakwater)), controlPort: 0 })
    for (const sample of SAMPLES) {
      const controlPort = await freePort()
      entrants.push({ ...(await launch(bench, tracedBreakwater(sample, controlPort))), controlPort })
    }
    for (const entrant of entrants) await warmUp(bench, entrant)
    return await inTurns(bench, entrants, (entrant) => fireAt(bench, entrant))
  } catch (error) {
    bench.skip(breakwater.name, String(error))
    return new Map()
  } finally {
    await stopAll(entrants)
  }
}

async function fireAt({ fire, options }: Bench, entrant: Traced) {
  const { pid } = entrant.process
  const before = await spansOf(entrant)
  const { done, cpuMs } = await metered(pid, () => fire(urlOf(entrant, '/json'), options.seconds))
  if (done.refused > 0) throw new Error(`${done.refused} of ${done.requests} answers were not 200`)
  const after = await spansOf(entrant)
  return {
    cpuUs: (cpuMs * 1000) / done.requests,
    perSecond: done.requests / done.seconds,
    p99Ms: done.p99Ms,
    residentBytes: usageOf(pid).residentBytes,
    exported: after.exported - before.exported,
    dropped: after.dropped - before.dropped,
  }
}

/** Spans exported and dropped since the start, from the sidecar's metrics. */
async function spansOf({ controlPort }: Traced) {
  if (controlPort === 0) return { exported: 0, dropped: 0 }
  const text = await (await fetch(`http://127.0.0.1:${controlPort}/metrics`)).text()
  const counted = (outcome: string) =>
    Number(new RegExp(`^breakwater_spans_total\\{outcome="${outcome}"\\} (\\d+)`, 'm').exec(text)?.[1] ?? 0)
  return { exported: counted('exported'), dropped: counted('dropped') }
}
