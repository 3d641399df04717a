/** What `simulate --scenario` says of a fleet, and of fleets that no machine here could run. */

import { formatFaults } from '../../src/config/file/faults.ts'
import { loadConfig } from '../../src/config/load.ts'
import { play } from '../../src/simulate/play.ts'
import { loadScenario } from '../../src/simulate/scenario.ts'

export type Predicted = {
  readonly requests: number
  readonly served: number
  /** Calls of the upstream, a second, after the first window. */
  readonly callsPerSecond: number
  readonly redisPerSecond: number
  readonly tookMs: number
}

const FIRST_MS = 5_000

/** A beat of each sidecar, which the simulation leaves out. */
const BEATS_PER_SECOND = 1

/** @param perPod requests a second, from each sidecar. */
export async function predicted(pods: number, perPod: number, rate: object, seconds: number): Promise<Predicted> {
  const upstreams = { web: { url: 'http://web', retry: { attempts: 1 }, rate } }
  const loaded = loadConfig(JSON.stringify({ fleet: { redis: 'redis://r', pods }, upstreams }), 'fleet', {})
  if (!loaded.ok) throw new Error(formatFaults(loaded.faults))
  const traffic = [{ upstream: 'web', request: 'GET /', rate: perPod }]
  const text = {
    lasts: `${seconds}s`,
    sidecars: pods,
    traffic,
    upstreams: { web: { latency: { p50: '1ms', p99: '2ms' } } },
  }
  const scenario = loadScenario(JSON.stringify(text), 'fleet')
  if (!scenario.ok) throw new Error(formatFaults(scenario.faults))
  const since = performance.now()
  const { tally, requests, redisCalls } = await play(scenario.scenario, loaded.config, 1)
  const { upstreams: figures, outcomes, sliceMs } = tally.figures()
  // Without the first seconds, in which the burst comes on top.
  const later = figures[0]?.callsOverTime.slice(Math.ceil(FIRST_MS / sliceMs)) ?? []
  return {
    requests,
    served: outcomes.served,
    callsPerSecond: later.reduce((sum, one) => sum + one, 0) / ((later.length * sliceMs) / 1_000),
    redisPerSecond: redisCalls / seconds + pods * BEATS_PER_SECOND,
    tookMs: performance.now() - since,
  }
}
