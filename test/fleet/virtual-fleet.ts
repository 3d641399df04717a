import type { Event } from '../../src/events.ts'
import type { Exchange } from '../../src/policy/exchange.ts'
import { Tally } from '../../src/simulate/report/tally.ts'
import { SharedRedis } from '../../src/simulate/fleet/redis.ts'
import { SimulatedSidecar, type World } from '../../src/simulate/sidecar.ts'
import { type Answer, type SimulatedReply, simulatedReply } from '../../src/simulate/simulated-call.ts'
import type { Got } from '../../src/simulate/simulated-request.ts'
import { VirtualClock } from '../../src/simulate/virtual-clock.ts'
import { configOf } from '../simulate/support.ts'
import { seeded } from '../support/virtual.ts'

type Call = { readonly at: number; readonly pod: number; readonly path: string }

export type VirtualFleet = {
  readonly clock: VirtualClock
  readonly redis: SharedRedis
  /** Calls that reached the upstream. */
  readonly calls: readonly Call[]
  readonly events: readonly (Event & { readonly at: number; readonly pod: number })[]
  /** Sends a GET through one of the sidecars. */
  get(pod: number, path?: string, timeoutMs?: number): Promise<Got>
}

/**
 * Sidecars of one fleet before the upstream `web`, on a virtual clock.
 * @param answer of the upstream; 200 after 10 ms when not given.
 */
export function virtualFleet(
  pods: number,
  web: object,
  options: {
    readonly answer?: (exchange: Exchange, pod: number) => SimulatedReply | Answer
    readonly top?: object
    readonly roundTripMs?: () => number
    readonly seed?: number
  } = {},
): VirtualFleet {
  const { answer = () => simulatedReply(200, 10), top = {}, roundTripMs = () => 2, seed = 1 } = options
  const clock = new VirtualClock(0)
  const random = seeded(seed)
  const redis = new SharedRedis(clock, roundTripMs)
  const upstreams = { web: { url: 'http://a', retry: { attempts: 1 }, ...web } }
  const config = configOf({ fleet: { redis: 'redis://r', pods }, upstreams, ...top })
  const calls: Call[] = []
  const events: (Event & { at: number; pod: number })[] = []
  const sidecars = Array.from({ length: pods }, (_, pod) => {
    const world: World = {
      answer: (exchange) => {
        calls.push({ at: clock.now(), pod, path: exchange.path })
        return answer(exchange, pod)
      },
      isWell: () => true,
    }
    const watch = (event: Event) => void events.push({ ...event, at: clock.now(), pod })
    const fleet = { redis, id: `pod${pod}` }
    return new SimulatedSidecar(config, world, new Tally(['web'], 1_000), clock, random, watch, fleet)
  })
  let ids = 0
  return {
    clock,
    redis,
    calls,
    events,
    get: (pod, path = '/', clientTimeoutMs = undefined) => {
      ids += 1
      const { promise, resolve } = Promise.withResolvers<Got>()
      const limits = { clientTimeoutMs, leavesAfterMs: Number.POSITIVE_INFINITY, jobLeftMs: undefined }
      const ask = { id: String(ids), method: 'GET', path, target: path, bodyBytes: 0, stalls: false, ...limits }
      sidecars[pod]?.ask('web', ask, resolve)
      return promise
    },
  }
}

/** Sends requests through all sidecars, the gaps drawn by chance, for so many ms. */
export async function load({ clock, get }: VirtualFleet, pods: number, perSecond: number, ms: number, seed = 1) {
  const random = seeded(seed)
  const outcomes: Promise<Got>[] = []
  const until = clock.now() + ms
  while (clock.now() < until) {
    await clock.advance((-Math.log(1 - random()) * 1_000) / perSecond)
    outcomes.push(get(Math.floor(random() * pods)))
  }
  return outcomes
}

/** Largest number of calls within any window of that length. */
export function mostWithin(calls: readonly { readonly at: number }[], perMs: number): number {
  let [most, from] = [0, 0]
  for (const [i, { at }] of calls.entries()) {
    while ((calls[from]?.at ?? at) <= at - perMs) from += 1
    most = Math.max(most, i - from + 1)
  }
  return most
}
