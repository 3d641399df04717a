/** Bounds in ms: smaller durations count as the first, larger ones as the second. */
const MIN_MS = 0.01
const MAX_MS = 10 * 86_400_000

/** Durations in ms in buckets of equal relative width, so that millions of them take a few KiB. */
export class Histogram {
  readonly #growth: number
  readonly #logGrowth: number
  readonly #counts: Uint32Array
  count = 0

  /** @param growth factor between two buckets: with 1.02 a percentile is off by 1 % at most. */
  constructor(growth: number) {
    this.#growth = growth
    this.#logGrowth = Math.log(growth)
    this.#counts = new Uint32Array(Math.ceil(Math.log(MAX_MS / MIN_MS) / this.#logGrowth) + 1)
  }

  add(ms: number): void {
    const last = this.#counts.length - 1
    const bucket = ms <= MIN_MS ? 0 : Math.min(last, Math.ceil(Math.log(ms / MIN_MS) / this.#logGrowth))
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1
    this.count += 1
  }

  /** @param other with the same growth. */
  addAll(other: Histogram): void {
    for (const [bucket, count] of other.#counts.entries()) this.#counts[bucket] = (this.#counts[bucket] ?? 0) + count
    this.count += other.count
  }

  /** @param other whose growth is the square root of this one's: two of its buckets make one. */
  addFiner(other: Histogram): void {
    for (const [bucket, count] of other.#counts.entries()) if (count > 0) this.#put(Math.ceil(bucket / 2), count)
  }

  /** Buckets that have durations, with their counts: what `addPairs` takes. */
  pairs(): [bucket: number, count: number][] {
    return [...this.#counts.entries()].filter(([, count]) => count > 0)
  }

  /** @param pairs of a histogram with the same growth. */
  addPairs(pairs: Iterable<readonly [bucket: number, count: number]>): void {
    for (const [bucket, count] of pairs) if (bucket >= 0 && count > 0) this.#put(bucket, count)
  }

  #put(bucket: number, count: number): void {
    const at = Math.min(bucket, this.#counts.length - 1)
    this.#counts[at] = (this.#counts[at] ?? 0) + count
    this.count += count
  }

  clear(): void {
    this.#counts.fill(0)
    this.count = 0
  }

  /** @param share 0 to 1. @returns the ms that this share did not exceed, to half a bucket; undefined without durations. */
  percentile(share: number): number | undefined {
    if (this.count === 0) return undefined
    const wanted = Math.max(1, Math.ceil(share * this.count))
    let seen = 0
    let bucket = 0
    for (; bucket < this.#counts.length && seen < wanted; bucket += 1) seen += this.#counts[bucket] ?? 0
    return bucket <= 1 ? MIN_MS : MIN_MS * this.#growth ** (bucket - 1.5)
  }
}
