import type { Bench } from '../bench.ts'
import { bareNet } from '../contestants/baselines.ts'
import { wideBreakwater } from '../contestants/breakwater.ts'
import { nginx } from '../contestants/nginx.ts'
import { type Entrant, samplesOf, urlOf } from '../entrants.ts'
import type { Section } from '../report.ts'
import { metered } from '../rounds.ts'
import { median } from '../statistics.ts'

/** Client connections of one load each. */
const CONNECTIONS = [10, 100, 1_000, 5_000] as const

type Sample = Readonly<Record<(typeof CONNECTIONS)[number], number>>

/**
 * Measures the CPU time of a small GET over few and many connections. nginx and bare node:net, whose code is the same over each, tell what
 * the machine makes of many.
 */
export async function scale(bench: Bench): Promise<Section> {
  const asked = [wideBreakwater, nginx, bareNet].filter(({ letter }) =>
    bench.contestants.some((contestant) => contestant.letter === letter),
  )
  const columns: { readonly name: string; readonly samples: readonly Sample[] }[] = []
  for (const contestant of asked) {
    const samples = await samplesOf(bench, contestant, (entrant) => sampleOf(bench, entrant))
    if (samples.length > 0) columns.push({ name: contestant.name, samples })
  }
  const own = columns.find(({ name }) => name === wideBreakwater.name)?.samples ?? []
  return {
    title: 'A 300-byte GET over few and many connections: CPU µs a request',
    headers: ['connections', ...columns.map(({ name }) => name)],
    rows: CONNECTIONS.map((connections) => [
      String(connections),
      ...columns.map(({ samples }) => median(samples.map((sample) => sample[connections])).toFixed(1)),
    ]),
    verdicts: [
      {
        target: `CPU per request over ${CONNECTIONS.join(', ')} connections: the most at most 1.3 × the least`,
        limit: 1.3,
        unit: '',
        values: own.map((sample) => Math.max(...Object.values(sample)) / Math.min(...Object.values(sample))),
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
