import type { Bench } from '../bench.ts'
import { breakwater, wideBreakwater } from '../contestants/breakwater.ts'
import { type Entrant, samplesOf, urlOf } from '../entrants.ts'
import type { Section } from '../report.ts'
import { metered } from '../rounds.ts'
import { median } from '../statistics.ts'

/** Client connections of one load each. */
const CONNECTIONS = [10, 100, 1_000, 5_000] as const

type Sample = Readonly<Record<(typeof CONNECTIONS)[number], number>>

/** Measures the CPU time of a small GET over few and many connections. */
export async function scale(bench: Bench): Promise<Section> {
  const samples = bench.contestants.includes(breakwater)
    ? await samplesOf(bench, wideBreakwater, (entrant) => sampleOf(bench, entrant))
    : []
  return {
    title: 'A 300-byte GET over few and many connections',
    headers: ['connections', 'CPU µs a request'],
    rows:
      samples.length === 0
        ? []
        : CONNECTIONS.map((connections) => [
            String(connections),
            median(samples.map((sample) => sample[connections])).toFixed(1),
          ]),
    verdicts: [
      {
        target: `CPU per request over ${CONNECTIONS.join(', ')} connections: the most at most 1.3 × the least`,
        limit: 1.3,
        unit: '',
        values: samples.map((sample) => Math.max(...Object.values(sample)) / Math.min(...Object.values(sample))),
      },
    ],
  }
}

async function sampleOf(bench: Bench, entrant: Entrant): Promise<Sample> {
  const of = (connections: number) => cpuUsOf(bench, entrant, connections)
  return { 10: await of(10), 100: await of(100), 1000: await of(1_000), 5000: await of(5_000) }
}

async function cpuUsOf({ fire, options }: Bench, entrant: Entrant, connections: number): Promise<number> {
  const url = urlOf(entrant, '/json')
  // Connections are opened and their code is compiled before.
  await fire(url, 1, connections)
  const { done, cpuMs } = await metered(entrant.process.pid, () => fire(url, options.seconds, connections))
  if (done.refused > 0) throw new Error(`${done.refused} of ${done.requests} answers were not 200`)
  return (cpuMs * 1000) / done.requests
}
