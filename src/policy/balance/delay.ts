import type { BalanceSettings } from './settings.ts'

type Settings = BalanceSettings['balance']

/** How long an endpoint takes to answer, as one route sees it. */
export type Delay = {
  /**
   * Average in ms that the choice of an endpoint goes by: failures count for more than the time they took. undefined until the
   * endpoint has answered once.
   */
  latencyMs: number | undefined
  /** The same average of the times alone, in ms. Says how much of `latencyMs` is due to failures. */
  plainMs: number
  /** Whether an answer has shown how fast the endpoint does its work. Failures do not. */
  isProven: boolean
  /** Monotonic ms of the newest answer. Both averages decay from then on. */
  seenAt: number
  /** Start times (monotonic ms) of calls that have no answer yet, oldest first. */
  readonly unanswered: Set<{ readonly startedAt: number }>
}

/** Smallest latency that counts. Two endpoints without calls then differ by what is in flight. */
export const MIN_LATENCY_MS = 0.1
/** Share of the way that a known latency moves down towards a lower one. */
const STEP_DOWN = 0.2
/**
 * Largest weight of failures, as a multiple of the endpoint's own or its peers' latency. A mended endpoint is tried again after
 * at most ln(1024), about 7, times `balance.decay`. The peers of a broken endpoint would need this many calls in flight to look
 * as loaded as it does.
 */
const MAX_WEIGHT = 1024

export const freshDelay = (): Delay => ({
  latencyMs: undefined,
  plainMs: 0,
  isProven: false,
  seenAt: 0,
  unanswered: new Set(),
})

/** The latency in ms, decayed by its age. */
export const known = ({ latencyMs, seenAt }: Delay, now: number, settings: Settings): number | undefined =>
  latencyMs === undefined ? undefined : latencyMs * ageing(seenAt, now, settings)

/** Takes an answer into account that came after `ms`. */
export function see(delay: Delay, ms: number, now: number, settings: Settings): void {
  const took = Math.max(ms, MIN_LATENCY_MS)
  delay.isProven = true
  delay.latencyMs = towards(took, known(delay, now, settings) ?? 0)
  seePlain(delay, took, now, settings)
}

/**
 * Takes a failure into account, or an answer that is neither 2xx nor 3xx. Such an answer comes fast where nothing is done for
 * it, so it never lowers the latency: it counts as no faster than the median of the peers, and for twice the known latency.
 * The factor of two makes a broken endpoint that is chosen again and again cost more than its busiest peer after a few calls.
 * @param peers delays of the upstream's other endpoints.
 */
export function seeFailure(delay: Delay, ms: number, peers: readonly Delay[], now: number, settings: Settings): void {
  const took = Math.max(ms, MIN_LATENCY_MS)
  const before = known(delay, now, settings) ?? 0
  // The plain averages: with their failures, two endpoints that fail alike would raise each other without end.
  const peersMs = median(
    peers.filter(({ latencyMs }) => latencyMs !== undefined).map((peer) => plain(peer, now, settings)),
  )
  seePlain(delay, took, now, settings)
  const floorMs = Math.max(took, peersMs ?? 0)
  const limitMs = MAX_WEIGHT * Math.max(delay.plainMs, floorMs)
  delay.latencyMs = Math.min(limitMs, Math.max(floorMs, 2 * Math.max(before, MIN_LATENCY_MS)))
}

/**
 * Takes off all endpoints the weight of failures that they have in common. Where all of them answer 404, the client's request
 * is at fault. Without this, the first endpoint with a good answer would look many times faster than the others, and take
 * the traffic of all until their latencies had decayed.
 * @param able delays of the endpoints that can be chosen now. A single one has nothing in common with any other.
 */
export function relieve(all: readonly Delay[], able: readonly Delay[]): void {
  const weights = able.map(({ latencyMs, plainMs }) => (latencyMs === undefined ? 1 : latencyMs / plainMs))
  const common = Math.min(...weights)
  if (able.length < 2 || common <= 1) return
  for (const delay of all)
    if (delay.latencyMs !== undefined) delay.latencyMs = Math.max(delay.plainMs, delay.latencyMs / common)
}

function seePlain(delay: Delay, took: number, now: number, settings: Settings): void {
  delay.plainMs = towards(took, plain(delay, now, settings))
  delay.seenAt = now
}

const plain = ({ plainMs, seenAt }: Delay, now: number, settings: Settings) => plainMs * ageing(seenAt, now, settings)

const ageing = (seenAt: number, now: number, { decayMs }: Settings) => Math.exp((seenAt - now) / decayMs)

/**
 * Rises at once and falls in steps, so that one fast answer does not draw traffic back. Steps count answers, not time:
 * otherwise one slow answer would send the next calls to endpoints that are slow as a rule.
 */
const towards = (seen: number, before: number) => (seen >= before ? seen : before + (seen - before) * STEP_DOWN)

/** undefined without values. */
function median(values: readonly number[]): number | undefined {
  const sorted = values.toSorted((a, b) => a - b)
  const upper = sorted[Math.floor(sorted.length / 2)]
  const lower = sorted[Math.floor((sorted.length - 1) / 2)]
  return upper === undefined || lower === undefined ? undefined : (lower + upper) / 2
}
