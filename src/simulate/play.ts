/** Runs a scenario through the policies of a configuration. */

import type { Config } from '../config/schema.ts'
import type { Event } from '../events.ts'
import { JobReports } from './recorded/job-reports.ts'
import { exponential, seeded } from './random.ts'
import type { Scenario, Traffic } from './scenario.ts'
import { ScriptedWorld } from './scripted-world.ts'
import { SharedRedis } from './fleet/redis.ts'
import { SimulatedSidecar } from './sidecar.ts'
import { sliceOf, Tally } from './report/tally.ts'
import { VirtualClock } from './virtual-clock.ts'

export type Played = {
  readonly tally: Tally
  readonly requests: number
  /** Requests to upstreams that are not in the configuration. */
  readonly left: number
  /** Calls to the Redis of the fleet. */
  readonly redisCalls: number
}

/** Time in ms for a call to the Redis of the fleet and its answer. */
const ROUND_TRIP_MS = 1

/** Receives every event with its wall-clock time in ms. */
export type Watch = (event: Event, wallMs: number) => void

/**
 * Each source of chance has its own stream, so that two configurations meet the same traffic. The same scenario, configuration
 * and seed give the same result.
 */
export async function play(
  scenario: Scenario,
  config: Config,
  seed: number,
  watch: Watch | undefined = undefined,
): Promise<Played> {
  const clock = new VirtualClock(0)
  const tally = new Tally(Object.keys(scenario.upstreams), sliceOf(scenario.lasts))
  const world = new ScriptedWorld(scenario, new JobReports(config.upstreams), clock, seeded(seed + 1))
  const chance = seeded(seed + 2)
  const redis = config.fleet === false ? undefined : new SharedRedis(clock, () => ROUND_TRIP_MS)
  const fleet = Array.from(
    { length: scenario.sidecars },
    (_, i) => new SimulatedSidecar(config, world, tally, clock, chance, watch, redis && { redis, id: String(i) }),
  )
  const traffic = seeded(seed)
  let requests = 0
  let left = 0
  let running = scenario.traffic.length
  const startFrom = (stream: Traffic) => {
    const at = nextArrival(stream, clock.now(), scenario.sidecars, traffic)
    if (at >= scenario.lasts) {
      running -= 1
      if (running === 0) for (const sidecar of fleet) sidecar.finish()
      return
    }
    clock.after(at - clock.now(), () => {
      const sidecar = fleet[Math.floor(traffic() * fleet.length)]
      if (sidecar?.ask(stream.upstream, askOf(stream, requests)) === false) left += 1
      requests += 1
      startFrom(stream)
    })
  }
  for (const stream of scenario.traffic) startFrom(stream)
  await clock.run()
  return { tally, requests, left, redisCalls: redis?.calls ?? 0 }
}

function askOf({ request, body, patience = Number.POSITIVE_INFINITY }: Traffic, number: number) {
  const [method = '', pattern = ''] = request.split(' ')
  const target = pattern.replaceAll(/\{\w+\}/g, String(number))
  return {
    id: String(number),
    method,
    path: target.replace(/\?.*/, ''),
    target,
    bodyBytes: body,
    stalls: false,
    leavesAfterMs: patience,
    clientTimeoutMs: undefined,
    jobLeftMs: undefined,
  }
}

/**
 * Time of the next request of all sidecars together: their Poisson processes add up to one. Poisson processes have no
 * memory, so after a change of rate the gap is drawn again. Infinity without a rate.
 */
function nextArrival({ rate }: Traffic, now: number, sidecars: number, random: () => number): number {
  const steps = typeof rate === 'number' ? [{ from: 0, rate }] : rate
  let from = now
  for (;;) {
    const current = steps.findLast((step) => step.from <= from)?.rate ?? 0
    const until = steps.find((step) => step.from > from)?.from ?? Number.POSITIVE_INFINITY
    const at = current > 0 ? from + exponential(1000 / (current * sidecars), random) : Number.POSITIVE_INFINITY
    if (at < until || until === Number.POSITIVE_INFINITY) return at
    from = until
  }
}
