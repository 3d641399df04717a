import type { RequestEvent } from '../../events.ts'

/** What a bucket has since the last scrape. */
const NONE = 0
const UNTRACED = 1
const TRACED = 2

/** Chooses the exemplars of one histogram: one per bucket between two scrapes, preferably of a recorded trace. */
export class Exemplars {
  readonly #bounds: readonly number[]
  readonly #found: Uint8Array
  #scrapes = 0

  /** @param bounds upper bounds of its buckets, ascending. */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds
    this.#found = new Uint8Array(bounds.length + 1)
  }

  /** @param scrapes so far. @returns whether this observation becomes its bucket's exemplar. It is not asked for again then. */
  takes(seconds: number, isTraced: boolean, scrapes: number): boolean {
    if (scrapes !== this.#scrapes) this.#found.fill(NONE)
    this.#scrapes = scrapes
    let bucket = 0
    for (const bound of this.#bounds) {
      if (seconds <= bound) break
      bucket += 1
    }
    const found = this.#found[bucket] ?? NONE
    if (found === TRACED || (found === UNTRACED && !isTraced)) return false
    this.#found[bucket] = isTraced ? TRACED : UNTRACED
    return true
  }
}

/** Names and values have 128 characters at most (OpenMetrics 1.0, section "Exemplars"). */
export const exemplarOf = ({ id, trace }: RequestEvent) => ({
  request_id: id.slice(0, 78),
  ...(trace === undefined ? {} : { trace_id: trace.traceId }),
})
