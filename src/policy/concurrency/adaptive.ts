import { ProxyError } from '../../errors.ts'
import type { RouteRef } from '../../events.ts'
import type { Layer } from '../exchange.ts'
import type { Deps } from '../../deps.ts'
import { freshSlots, letIn, type Slots } from '../shared/limit.ts'

/**
 * A concurrency limit found from latency: the number of concurrent exchanges that the upstream answers without queueing.
 * Gradient limit of Envoy's adaptive concurrency filter (`limit · gradient + √limit`, gradient of unloaded to present latency,
 * here between 0.5 and 1) with the tolerance of Netflix' Gradient2. Unlike those, it compares latencies route by route, since
 * an upload and a poll differ by orders of magnitude, and measures the unloaded latency at half the limit instead of at three
 * exchanges: enough to drain a queue, at little cost in throughput.
 */
export type Adaptive = {
  /** The slots whose limit it sets. */
  slots: Slots
  /** Upper bound of the limit. */
  max: number
  readonly routes: Map<RouteRef, RouteLatency>
  /** Attempts in this round. */
  samples: number
  overloads: number
  slowdownSum: number
  /** Largest number of exchanges in flight in this round. */
  peak: number
  /** Latency of the last round as a multiple of the unloaded latency; undefined before the first round. */
  slowdown: number | undefined
  /** While the unloaded latency is measured: since when (monotonic ms), and the limit to return to. */
  measuring: { readonly since: number; readonly limitAfter: number } | undefined
  measuredAt: number
  /** The limit after the last measurement. */
  measuredLimit: number
}

type RouteLatency = {
  /** Unloaded latency in ms; undefined until it has been measured. */
  baselineMs: number | undefined
  sum: number
  count: number
}

const FIRST_LIMIT = 20
const MIN_LIMIT = 2
/** Attempts in a round, at least; more when the limit is higher. */
const MIN_SAMPLES = 40
/** Latency up to this multiple of the unloaded one is not taken for queueing. */
const TOLERANCE = 1.5
const MIN_GRADIENT = 0.5
/** Share of overload (429, failures, timeouts) in a round above which the limit is lowered whatever the latency. */
const OVERLOAD_SHARE = 0.1
const OVERLOAD_FACTOR = 0.9
/** Share of the limit that must have been used for the limit to grow. */
const USED_SHARE = 0.8
const MEASURE_EVERY_MS = 30_000
/** Largest share of time spent on measurements, however slow the upstream. */
const MEASURE_SHARE = 0.05
/** Smallest number of a route's attempts that updates its unloaded latency. */
const MIN_FOR_BASELINE = 3

/** Does not set the limit yet: `begin` does. */
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

/** Lets a fresh one set the limit from here on. */
export function begin(adaptive: Adaptive): void {
  adaptive.slots.limit = adaptive.measuredLimit
}

/** Changes the upper bound. The limit stays where that allows it. */
export function bound(adaptive: Adaptive, max: number): void {
  adaptive.max = max
  adaptive.slots.limit = Math.min(adaptive.slots.limit, max)
}

/** Stops setting the limit, whatever attempts under way still report. */
export function end(adaptive: Adaptive): void {
  adaptive.slots = freshSlots(adaptive.slots.limit)
}

const freshRound = { samples: 0, overloads: 0, slowdownSum: 0, peak: 0 }

/** Reports each attempt to the limit: its wait for the head, or overload. Neutral ends are not reported. */
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

/** @param ms undefined for overload. */
function sample(adaptive: Adaptive, ref: RouteRef, ms: number | undefined, startedAt: number, now: number): void {
  // An attempt from before the measurement has waited in the queue that the measurement must exclude.
  if (adaptive.measuring !== undefined && startedAt < adaptive.measuring.since) return
  adaptive.samples += 1
  if (ms === undefined) adaptive.overloads += 1
  else see(adaptive, ref, ms)
  if (adaptive.samples < Math.max(MIN_SAMPLES, adaptive.slots.limit)) return
  if (adaptive.measuring !== undefined) concludeMeasuring(adaptive, adaptive.measuring, now)
  else concludeRound(adaptive, now)
  Object.assign(adaptive, freshRound)
  for (const latency of adaptive.routes.values()) Object.assign(latency, { sum: 0, count: 0 })
  letIn(adaptive.slots, now)
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
    const isEnough = latency.count >= MIN_FOR_BASELINE || latency.baselineMs === undefined
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
  // A limit that has fallen this far has drained the queue, if there was one.
  adaptive.measuring = { since: now, limitAfter: slots.limit }
  if (!hasFallen) slots.limit = clamped(slots.limit / 2, max)
}

function nextLimit(limit: number, overloadShare: number, slowdown: number | undefined, peak: number): number {
  if (overloadShare > OVERLOAD_SHARE || slowdown === undefined) return limit * OVERLOAD_FACTOR
  const gradient = Math.min(1, Math.max(MIN_GRADIENT, TOLERANCE / slowdown))
  const isUsed = peak >= limit * USED_SHARE
  return limit * gradient + (isUsed ? Math.sqrt(limit * gradient) : 0)
}

const clamped = (limit: number, max: number) => Math.floor(Math.min(max, Math.max(MIN_LIMIT, limit)))
