import { ProxyError } from '../../errors.ts'
import type { RouteRef } from '../../events.ts'
import type { Layer } from '../exchange.ts'
import type { Deps } from '../../deps.ts'
import { freshSlots, letIn, type Slots } from '../shared/limit.ts'

/**
 * A concurrency limit found from latency: as many exchanges at once as an upstream answers without making them wait.
 * Limit by gradient, from Envoy's adaptive concurrency filter (`limit · gradient + √limit`, gradient from the unloaded to the
 * present latency, between 0.5 and 1 here) with the tolerance of Netflix' Gradient2. Unlike theirs, latencies are compared
 * route by route, since an upload and a poll differ by three orders of magnitude; and the unloaded latency is measured
 * at half the limit, not at three exchanges, which is enough to drain a queue and costs little throughput.
 */
export type Adaptive = {
  /** Those that it sets the limit of. */
  slots: Slots
  /** The limit is never above it. */
  max: number
  readonly routes: Map<RouteRef, RouteLatency>
  /** Attempts of this round. */
  samples: number
  overloads: number
  slowdownSum: number
  /** The most exchanges that were in flight in this round. */
  peak: number
  /** How many times slower than unloaded attempts were in the last round; undefined before there was one. */
  slowdown: number | undefined
  /** While unloaded latencies are measured: since when (monotonic ms), and the limit to go back to. */
  measuring: { readonly since: number; readonly limitAfter: number } | undefined
  measuredAt: number
  /** The limit since the last measurement. */
  measuredLimit: number
}

type RouteLatency = {
  /** Unloaded, in ms; undefined until it has been measured. */
  baselineMs: number | undefined
  sum: number
  count: number
}

const FIRST_LIMIT = 20
const LEAST_LIMIT = 2
/** Attempts in a round, or as many as the limit lets be in flight. */
const LEAST_SAMPLES = 40
/** Slower than unloaded by this much is no queue yet. */
const TOLERANCE = 1.5
const LEAST_GRADIENT = 0.5
/** A round with more overload (429, failures, timeouts) than this lowers the limit whatever the latency. */
const OVERLOAD_SHARE = 0.1
const OVERLOAD_FACTOR = 0.9
/** Of the limit: only a limit that was used so far says that more might be borne. */
const USED_SHARE = 0.8
const MEASURE_EVERY_MS = 30_000
/** A measurement is to take no more than this share of the time, however slow the upstream. */
const MEASURE_SHARE = 0.05
/** Route by route, fewer attempts than this leave the baseline as it was. */
const LEAST_FOR_BASELINE = 3

/** Sets no limit yet: that is for `begin`. */
export function freshAdaptive(slots: Slots, max: number, now: number): Adaptive {
  const limit = Math.min(FIRST_LIMIT, max)
  return {
    slots,
    max,
    routes: new Map(),
    ...freshRound,
    slowdown: undefined,
    measuring: { since: now, limitAfter: limit },
    measuredAt: now,
    measuredLimit: limit,
  }
}

/** From here on a fresh one sets the limit. */
export function begin(adaptive: Adaptive): void {
  adaptive.slots.limit = adaptive.measuredLimit
}

/** Another most that the limit may rise to: what has been found stands, as far as that allows. */
export function bound(adaptive: Adaptive, max: number): void {
  adaptive.max = max
  adaptive.slots.limit = Math.min(adaptive.slots.limit, max)
}

/** From here on it sets no limit any more, whatever the attempts under way still tell it. */
export function end(adaptive: Adaptive): void {
  adaptive.slots = freshSlots(adaptive.slots.limit)
}

const freshRound = { samples: 0, overloads: 0, slowdownSum: 0, peak: 0 }

/** Tells the limit of each attempt: how long it waited for its head, or that it met overload. Neutral ends tell nothing. */
export const gauging =
  (adaptive: Adaptive, overloaded: ReadonlySet<number>, { clock }: Deps): Layer =>
  (next) =>
  async (exchange) => {
    const startedAt = clock.now()
    adaptive.peak = Math.max(adaptive.peak, adaptive.slots.inUse)
    try {
      const reply = await next(exchange)
      const isOverload = reply.status === 429 || overloaded.has(reply.status)
      const ms = isOverload ? undefined : exchange.headMs
      if (isOverload || ms !== undefined) sample(adaptive, exchange.route, ms, startedAt, clock.now())
      return reply
    } catch (error) {
      const isOverload = error instanceof ProxyError && error.whose === 'upstream'
      if (isOverload) sample(adaptive, exchange.route, undefined, startedAt, clock.now())
      throw error
    }
  }

/** @param ms undefined when it met overload. */
function sample(adaptive: Adaptive, ref: RouteRef, ms: number | undefined, startedAt: number, now: number): void {
  // An attempt from before a measurement has waited in the queue that the measurement is to do without.
  if (adaptive.measuring !== undefined && startedAt < adaptive.measuring.since) return
  adaptive.samples += 1
  if (ms === undefined) adaptive.overloads += 1
  else see(adaptive, ref, ms)
  if (adaptive.samples < Math.max(LEAST_SAMPLES, adaptive.slots.limit)) return
  if (adaptive.measuring !== undefined) concludeMeasuring(adaptive, adaptive.measuring, now)
  else concludeRound(adaptive, now)
  Object.assign(adaptive, freshRound)
  for (const latency of adaptive.routes.values()) Object.assign(latency, { sum: 0, count: 0 })
  letIn(adaptive.slots)
}

function see(adaptive: Adaptive, ref: RouteRef, ms: number): void {
  let latency = adaptive.routes.get(ref)
  if (latency === undefined) {
    latency = { baselineMs: undefined, sum: 0, count: 0 }
    adaptive.routes.set(ref, latency)
  }
  latency.sum += ms
  latency.count += 1
  adaptive.slowdownSum += latency.baselineMs === undefined ? 1 : Math.max(1, ms / latency.baselineMs)
}

function concludeMeasuring(
  adaptive: Adaptive,
  { since, limitAfter }: { since: number; limitAfter: number },
  now: number,
) {
  for (const latency of adaptive.routes.values()) {
    const isEnough = latency.count >= LEAST_FOR_BASELINE || latency.baselineMs === undefined
    if (isEnough && latency.count > 0) latency.baselineMs = latency.sum / latency.count
  }
  adaptive.measuring = undefined
  adaptive.measuredAt = now + (now - since) / MEASURE_SHARE
  adaptive.measuredLimit = limitAfter
  adaptive.slots.limit = Math.min(limitAfter, adaptive.max)
}

function concludeRound(adaptive: Adaptive, now: number): void {
  const { slots, max, samples, overloads, slowdownSum, peak } = adaptive
  const answered = samples - overloads
  const slowdown = answered === 0 ? undefined : slowdownSum / answered
  adaptive.slowdown = slowdown
  slots.limit = clamped(nextLimit(slots.limit, overloads / samples, slowdown, peak), max)
  const hasFallen = slots.limit <= adaptive.measuredLimit / 2
  if (!hasFallen && now - adaptive.measuredAt < MEASURE_EVERY_MS) return
  // A limit that has fallen so far has drained the queue already, if there was one.
  adaptive.measuring = { since: now, limitAfter: slots.limit }
  if (!hasFallen) slots.limit = clamped(slots.limit / 2, max)
}

function nextLimit(limit: number, overloadShare: number, slowdown: number | undefined, peak: number): number {
  if (overloadShare > OVERLOAD_SHARE || slowdown === undefined) return limit * OVERLOAD_FACTOR
  const gradient = Math.min(1, Math.max(LEAST_GRADIENT, TOLERANCE / slowdown))
  const isUsed = peak >= limit * USED_SHARE
  return limit * gradient + (isUsed ? Math.sqrt(limit * gradient) : 0)
}

const clamped = (limit: number, max: number) => Math.floor(Math.min(max, Math.max(LEAST_LIMIT, limit)))
