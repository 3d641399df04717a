import type { RequestEvent } from '../../events.ts'

/** What a bucket has since the last scrape. */
const NONE = 0
const UNTRACED = 1
const TRACED = 2

/** For which buckets of one histogram an exemplar is wanted: one between two scrapes is enough, rather one that leads to a trace. */
export class Exemplars {
  readonly #bounds: readonly number[]
  readonly #found: Uint8Array
  #scrapes = 0

  /** @param bounds of its buckets, those that are included, ascending. */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds
    this.#found = new Uint8Array(bounds.length + 1)
  }

  /** @param scrapes so far. @returns whether this observation is to be its bucket's exemplar; that one is not asked for again. */
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

/** Names and values are 128 characters at most (OpenMetrics 1.0, section "Exemplars"). */
export const exemplarOf = ({ id, trace }: RequestEvent) => ({
  request_id: id.slice(0, 78),
  ...(trace === undefined ? {} : { trace_id: trace.traceId }),
})
