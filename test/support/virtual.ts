import type { FaultCode } from '../../src/errors.ts'
import type { Event } from '../../src/events.ts'
import type { Exchange } from '../../src/policy/exchange.ts'
import { Tally } from '../../src/simulate/report/tally.ts'
import { SimulatedSidecar, type World } from '../../src/simulate/sidecar.ts'
import { type Answer, type SimulatedReply, simulatedReply } from '../../src/simulate/simulated-call.ts'
import type { Got } from '../../src/simulate/simulated-request.ts'
import type { VirtualClock } from '../../src/simulate/virtual-clock.ts'
import { configOf } from '../simulate/support.ts'

/** Decides a call to an endpoint: by `answer`, `fail`, or a promise of an answer; undefined is silence. */
export type Service = (exchange: Exchange) => Answer | Promise<SimulatedReply> | undefined

/** @param afterMs since the call was sent. */
export const answer = (
  status: number,
  afterMs: number,
  json?: object,
  headers: readonly string[] = [],
): SimulatedReply => {
  const reply = simulatedReply(status, afterMs, json && JSON.stringify(json))
  return { ...reply, headers: [...headers, ...reply.headers] }
}

/** @param afterMs since the call was begun. */
export const fail = (code: FaultCode, afterMs: number): Answer => ({ kind: 'fault', connectMs: 0, afterMs, code })

const SILENCE: Answer = { kind: 'silence', connectMs: 0, in: 'waiting' }

/** Random numbers, uniform in [0, 1) and the same for the same seed: mulberry32 (T. Ettinger, public domain). */
export function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

export type Virtual = {
  readonly snapshot: SimulatedSidecar['snapshot']
  /** Events so far; `at` is the clock's time in ms. */
  readonly events: readonly (Event & { readonly at: number })[]
  /** Sends a GET to the only upstream. @param timeoutMs the client's own timeout. */
  get(path: string, timeoutMs?: number, leavesAfterMs?: number): Promise<Got>
}

/**
 * The sidecar of `simulate` with one upstream: thousands of exchanges in the time that a few take over sockets.
 * For results that need many exchanges; the behavior of a single one is tested through the whole sidecar.
 * @param services by the origin of their endpoint.
 */
export function virtualSidecar(
  clock: VirtualClock,
  upstream: object,
  services: Readonly<Record<string, Service>>,
  random: () => number,
): Virtual {
  const config = configOf({ upstreams: { web: { urls: Object.keys(services), ...upstream } } })
  const world: World = {
    answer: (exchange, origin) => services[origin]?.(exchange) ?? SILENCE,
    isWell: () => true,
  }
  const events: (Event & { at: number })[] = []
  const record = (event: Event) => void events.push({ ...event, at: clock.now() })
  const sidecar = new SimulatedSidecar(config, world, new Tally(['web'], 1_000), clock, random, record)
  let ids = 0
  return {
    events,
    snapshot: () => sidecar.snapshot(),
    get: (path, timeoutMs, leavesAfterMs = Number.POSITIVE_INFINITY) => {
      ids += 1
      const { promise, resolve } = Promise.withResolvers<Got>()
      const limits = { clientTimeoutMs: timeoutMs, leavesAfterMs, jobLeftMs: undefined }
      const ask = { id: String(ids), method: 'GET', path, target: path, bodyBytes: 0, stalls: false, ...limits }
      sidecar.ask('web', ask, resolve)
      return promise
    },
  }
}
