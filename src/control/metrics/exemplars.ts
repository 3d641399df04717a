import type { RequestEvent } from '../../events.ts'

/** What a bucket has since the last scrape. */
const NONE = 0
const UNTRACED = 1
const TRACED = 2

/** Chooses the exemplars of one histogram: one per bucket between two scrapes, preferably of a recorded trace. */
export class Exemplars {
  readonly #found: Uint8Array
  #scrapes = 0

  /** @param buckets number of its buckets. */
  constructor(buckets: number) {
    this.#found = new Uint8Array(buckets)
  }

  /** @param scrapes so far. @returns whether this observation becomes its bucket's exemplar. It is not asked for again then. */
  takes(bucket: number, isTraced: boolean, scrapes: number): boolean {
    if (scrapes !== this.#scrapes) this.#found.fill(NONE)
    this.#scrapes = scrapes
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
