/**
 * Recent latencies of a route's attempts as a histogram that forgets: a sample's weight halves after each half-life. Instead of
 * aging samples, newer ones weigh more, and now and then all weights are divided (forward decay, Cormode, Shkapenyuk,
 * Srivastava and Xu 2009). Buckets grow by a twentieth, so a quantile is at most that much too high.
 */
export type Latencies = {
  readonly weights: Float64Array
  total: number
  /** Monotonic ms at which a sample weighs 1. */
  since: number
}

const HALF_LIFE_MS = 300_000
const GROWTH = 1.05
/** End of the first bucket. The last one ends above an hour. */
const MIN_MS = 0.5
const BUCKETS = 325
/** Smallest number of samples of full weight for a quantile. */
const MIN_SAMPLES = 20
const HEAVIEST = 2 ** 20

export const freshLatencies = (): Latencies => ({ weights: new Float64Array(BUCKETS), total: 0, since: 0 })

/** @param ms from the end of the request to its response head, or to the moment at which it was given up as late. */
export function record(latencies: Latencies, ms: number, now: number): void {
  const weight = weightAt(latencies, now)
  const bucket = Math.ceil(Math.log(Math.max(ms, MIN_MS) / MIN_MS) / Math.log(GROWTH))
  const at = Math.min(bucket, BUCKETS - 1)
  latencies.weights[at] = (latencies.weights[at] ?? 0) + weight
  latencies.total += weight
}

/** @param share 0.95 for the 95th percentile. @returns ms; undefined while there are too few samples. */
export function quantile(latencies: Latencies, share: number, now: number): number | undefined {
  const weight = weightAt(latencies, now)
  const { weights, total } = latencies
  if (total < MIN_SAMPLES * weight) return undefined
  // Sums of floats: the rest after the last bucket is a rounding error.
  const wanted = share * total * (1 - 1e-12)
  let below = 0
  let at = -1
  // A loop: a callback would get each weight as an object of its own, 5 kB in all.
  while (below < wanted && at < BUCKETS - 1) {
    at += 1
    below += weights[at] ?? 0
  }
  return MIN_MS * GROWTH ** at
}

function weightAt(latencies: Latencies, now: number): number {
  const weight = 2 ** ((now - latencies.since) / HALF_LIFE_MS)
  if (weight < HEAVIEST) return weight
  for (let i = 0; i < BUCKETS; i += 1) latencies.weights[i] = (latencies.weights[i] ?? 0) / weight
  latencies.total /= weight
  latencies.since = now
  return 1
}
