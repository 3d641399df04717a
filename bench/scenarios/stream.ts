import type { Bench } from '../bench.ts'
import { PEER_HEADERS, peerCells, ratiosTo } from '../comparison.ts'
import { breakwater } from '../contestants/breakwater.ts'
import { haproxy } from '../contestants/haproxy.ts'
import { nginx } from '../contestants/nginx.ts'
import { type Entrant, launchAll, stopAll, urlOf } from '../entrants.ts'
import { haul, SEVERAL } from '../load/haul.ts'
import { usageOf } from '../machine/usage.ts'
import type { Section, Verdict } from '../report.ts'
import { inTurns, metered, type Results } from '../rounds.ts'
import { median } from '../statistics.ts'

const BODY_BYTES = 200_000_000

const WARM_UP_BYTES = 10_000_000
const WARM_UP_SECONDS = 1

/** Measures the CPU time of large response bodies, one and four at a time. */
export async function stream(bench: Bench): Promise<Section> {
  const entrants = await launchAll(bench, (entrant) =>
    haul(bench.processes, urlOf(entrant, `/bytes/${WARM_UP_BYTES}`), WARM_UP_BYTES, WARM_UP_SECONDS, SEVERAL),
  )
  const results = await inTurns(bench, entrants, (entrant) => haulFrom(bench, entrant, SEVERAL))
  const singles = await inTurns(bench, entrants, (entrant) => haulFrom(bench, entrant, 1))
  await stopAll(entrants)
  const rows = [...results].map(([name, samples]) => [
    name,
    median((singles.get(name) ?? []).map(cpuSeconds)).toFixed(2),
    median(samples.map(cpuSeconds)).toFixed(2),
    ...peerCells(results, name, cpuSeconds),
    median(samples.map(({ megabytesPerSecond }) => megabytesPerSecond)).toFixed(0),
    median(samples.map(({ peakMegabytes }) => peakMegabytes)).toFixed(0),
  ])
  return {
    title: '200 MB bodies',
    headers: ['proxy', 'CPU s a GB, one body', 'CPU s a GB, four', ...PEER_HEADERS, 'MB/s', 'peak RSS MB'],
    rows,
    verdicts: [...verdictsOf('one body at a time', singles), ...verdictsOf('four at a time', results)],
  }
}

const verdictsOf = (how: string, results: Results<Sample>): Verdict[] => [
  {
    target: `CPU per GB at most nginx's, ${how}`,
    limit: 1,
    unit: '',
    values: ratiosTo(results, breakwater.name, nginx.name, cpuSeconds),
  },
  {
    target: `CPU per GB at most 1.5 × HAProxy, ${how}`,
    limit: 1.5,
    unit: '',
    values: ratiosTo(results, breakwater.name, haproxy.name, cpuSeconds),
  },
]

type Sample = Awaited<ReturnType<typeof haulFrom>>

const cpuSeconds = (sample: Sample) => sample.cpuSecondsPerGigabyte

async function haulFrom({ processes, options }: Bench, entrant: Entrant, connections: number) {
  const { pid } = entrant.process
  const url = urlOf(entrant, `/bytes/${BODY_BYTES}`)
  const { done, cpuMs } = await metered(pid, () => haul(processes, url, BODY_BYTES, options.seconds, connections))
  const bytes = done.bodies * BODY_BYTES
  return {
    cpuSecondsPerGigabyte: cpuMs / 1000 / (bytes / 1e9),
    megabytesPerSecond: bytes / 1e6 / done.seconds,
    peakMegabytes: usageOf(pid).peakResidentBytes / 1e6,
  }
}
