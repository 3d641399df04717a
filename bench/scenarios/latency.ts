import type { Bench } from '../bench.ts'
import { breakwater } from '../contestants/breakwater.ts'
import { nginx } from '../contestants/nginx.ts'
import { type Entrant, launchAll, stopAll, urlOf, warmUp } from '../entrants.ts'
import { type Pace, pace } from '../load/pace.ts'
import type { Section } from '../report.ts'
import { inTurns } from '../rounds.ts'
import { median } from '../statistics.ts'

const PER_SECOND = 1000

/** Measures the latency that a proxy adds to a direct call, at a rate that leaves it idle most of the time. */
export async function latency(bench: Bench): Promise<Section> {
  const paceAt = (entrant: Entrant) => {
    const urls = { direct: urlOf({ port: bench.originPort }, '/json'), proxied: urlOf(entrant, '/json') }
    return pace(bench.processes, urls, PER_SECOND, bench.options.seconds)
  }
  const entrants = await launchAll(bench, (entrant) => warmUp(bench, entrant))
  const results = await inTurns(bench, entrants, paceAt)
  await stopAll(entrants)
  const rows = [...results].map(([name, samples]) => [
    name,
    ...[addedP50Ms, addedP99Ms, directP99Ms, proxiedP99Ms].map((value) => median(samples.map(value)).toFixed(2)),
    String(samples.reduce((sum, { direct, proxied }) => sum + direct.failed + proxied.failed, 0)),
  ])
  const besides = (added: (sample: Pace) => number) => {
    const peers = results.get(nginx.name)?.map(added)
    return peers === undefined ? '' : ` (nginx: ${median(peers).toFixed(2)} ms)`
  }
  return {
    title: `Latency at ${PER_SECOND} requests a second`,
    headers: ['proxy', 'added p50 ms', 'added p99 ms', 'direct p99 ms', 'proxied p99 ms', 'failed'],
    rows,
    verdicts: [
      {
        target: `added latency at most 0.12 ms at the 50th percentile${besides(addedP50Ms)}`,
        limit: 0.12,
        unit: ' ms',
        values: results.get(breakwater.name)?.map(addedP50Ms) ?? [],
      },
      {
        target: `added latency at most 0.6 ms at the 99th percentile${besides(addedP99Ms)}`,
        limit: 0.6,
        unit: ' ms',
        values: results.get(breakwater.name)?.map(addedP99Ms) ?? [],
      },
    ],
  }
}

const addedP50Ms = ({ direct, proxied }: Pace) => proxied.p50Ms - direct.p50Ms
const addedP99Ms = ({ direct, proxied }: Pace) => proxied.p99Ms - direct.p99Ms
const directP99Ms = ({ direct }: Pace) => direct.p99Ms
const proxiedP99Ms = ({ proxied }: Pace) => proxied.p99Ms
