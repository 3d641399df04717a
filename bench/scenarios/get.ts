import type { Bench } from '../bench.ts'
import { PEER_HEADERS, peerCells, ratiosTo } from '../comparison.ts'
import { bareUndici, httpProxy } from '../contestants/baselines.ts'
import { breakwater } from '../contestants/breakwater.ts'
import { haproxy } from '../contestants/haproxy.ts'
import { nginx } from '../contestants/nginx.ts'
import { type Entrant, launchAll, stopAll, urlOf, warmUp } from '../entrants.ts'
import { usageOf } from '../machine/usage.ts'
import type { Section } from '../report.ts'
import { inTurns, metered } from '../rounds.ts'
import { median } from '../statistics.ts'

/** Measures the CPU time of a small GET, with 64 connections that never wait. */
export async function get(bench: Bench): Promise<Section> {
  const entrants = await launchAll(bench, (entrant) => warmUp(bench, entrant))
  const results = await inTurns(bench, entrants, (entrant) => fireAt(bench, entrant))
  await stopAll(entrants)
  const rows = [...results].map(([name, samples]) => {
    const middle = (key: keyof Sample) => median(samples.map((sample) => sample[key]))
    return [
      name,
      middle('cpuUs').toFixed(1),
      ...peerCells(results, name, cpuUs),
      middle('perSecond').toFixed(0),
      middle('p50Ms').toFixed(2),
      middle('p99Ms').toFixed(2),
      (middle('residentBytes') / 1e6).toFixed(0),
      String(samples.reduce((sum, { failed }) => sum + failed, 0)),
    ]
  })
  const toPeer = (peer: string) => ratiosTo(results, breakwater.name, peer, cpuUs)
  return {
    title: 'A 300-byte GET',
    headers: ['proxy', 'CPU µs a request', ...PEER_HEADERS, 'requests/s', 'p50 ms', 'p99 ms', 'RSS MB', 'failed'],
    rows,
    verdicts: [
      { target: 'CPU per request at most 2.5 × nginx', limit: 2.5, unit: '', values: toPeer(nginx.name) },
      { target: 'CPU per request at most 1.6 × HAProxy', limit: 1.6, unit: '', values: toPeer(haproxy.name) },
      { target: 'CPU per request at most 0.85 × bare undici', limit: 0.85, unit: '', values: toPeer(bareUndici.name) },
      { target: 'CPU per request at most 0.3 × http-proxy', limit: 0.3, unit: '', values: toPeer(httpProxy.name) },
      {
        target: 'resident memory at most 100 MB with 64 saturated connections',
        limit: 100,
        unit: ' MB',
        values: results.get(breakwater.name)?.map(({ residentBytes }) => residentBytes / 1e6) ?? [],
      },
    ],
  }
}

type Sample = Awaited<ReturnType<typeof fireAt>>

const cpuUs = (sample: Sample) => sample.cpuUs

async function fireAt({ fire, options }: Bench, entrant: Entrant) {
  const { pid } = entrant.process
  const { done, cpuMs } = await metered(pid, () => fire(urlOf(entrant, '/json'), options.seconds))
  if (done.refused > 0) throw new Error(`${done.refused} of ${done.requests} answers were not 200`)
  return {
    cpuUs: (cpuMs * 1000) / done.requests,
    perSecond: done.requests / done.seconds,
    p50Ms: done.p50Ms,
    p99Ms: done.p99Ms,
    residentBytes: usageOf(pid).residentBytes,
    failed: done.failed,
  }
}
