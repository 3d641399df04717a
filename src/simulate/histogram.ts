/** Each bucket reaches so many times as far as the one below it: a percentile is off by 1 % at most. */
const GROWTH = 1.02
const LOG_GROWTH = Math.log(GROWTH)
/** In ms: what is less counts as this. */
const LEAST = 0.01
const BUCKETS = 1400

/** Durations in ms, counted in buckets of equal relative width, so that millions of them take a few KiB. */
export class Histogram {
  readonly #counts = new Uint32Array(BUCKETS)
  count = 0

  add(ms: number): void {
    const bucket = ms <= LEAST ? 0 : Math.min(BUCKETS - 1, Math.ceil(Math.log(ms / LEAST) / LOG_GROWTH))
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1
    this.count += 1
  }

  /** @param share 0 to 1. @returns the ms that this share did not exceed, to 1 %; undefined when nothing was added. */
  percentile(share: number): number | undefined {
    if (this.count === 0) return undefined
    const wanted = Math.max(1, Math.ceil(share * this.count))
    let seen = 0
    let bucket = 0
    for (; bucket < BUCKETS && seen < wanted; bucket += 1) seen += this.#counts[bucket] ?? 0
    return bucket <= 1 ? LEAST : LEAST * GROWTH ** (bucket - 1.5)
  }
}
