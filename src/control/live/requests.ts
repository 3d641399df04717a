import type { RequestView } from '../../dashboard/shapes.ts'
import type { RequestEvent } from '../../events.ts'
import { microseconds } from '../log/attempts.ts'
import { isRouted, type Kept, Newest, told } from './kept.ts'

/** Number of requests that are kept. */
const MAX_KEPT = 300

/**
 * Number of plain requests of a second that are kept. Nobody reads more, and each one that is kept outlives the collector's young
 * generation: at 6,000 a second that took a seventh of the CPU time and 50 MB.
 */
const MAX_PLAIN_A_SECOND = 100

/** Requests without trouble, and those that were refused without an attempt, which come by the thousand. */
const isPlain = ({ attempts, status, reason }: RequestEvent) =>
  attempts === 0 || (attempts === 1 && status < 400 && reason === undefined)

/** The newest requests, whatever their outcome: all that had trouble, and of a busy second's plain ones the first hundred. */
export class Requests {
  readonly #kept = new Newest<Kept>(MAX_KEPT)
  #second = 0
  #plain = 0
  /** Requests since the start that were not kept. */
  leftOut = 0

  /** @param wallAt ms since the Unix epoch. */
  record(event: RequestEvent, wallAt: number): void {
    if (!isRouted(event)) return
    if (isPlain(event) && this.#isOneTooMany(wallAt)) this.leftOut += 1
    else this.#kept.keep({ event, wallAt })
  }

  #isOneTooMany(wallAt: number): boolean {
    const second = Math.floor(wallAt / 1000)
    if (second !== this.#second) this.#plain = 0
    this.#second = second
    this.#plain += 1
    return this.#plain > MAX_PLAIN_A_SECOND
  }

  /** @param upstream undefined for all. */
  newestFirst(upstream: string | undefined, limit: number): RequestView[] {
    const all = this.#kept.oldestFirst()
    const meant = upstream === undefined ? all : all.filter(({ event }) => event.ref.upstream === upstream)
    return meant.slice(-limit).reverse().map(shownRequest)
  }

  find(id: string): RequestView | undefined {
    const found = this.#kept.oldestFirst().find(({ event }) => event.id === id)
    return found && shownRequest(found)
  }
}

/** A request with its attempts and waits. */
export function shownRequest(kept: Kept): RequestView {
  const { event } = kept
  return {
    ...told(kept),
    limit: event.limit === undefined ? null : `${event.limit.key}: ${event.limit.value}`,
    first_byte_ms: event.firstByteMs === undefined ? null : microseconds(event.firstByteMs),
    waits: {
      queue_ms: microseconds(event.queueMs),
      backoff_ms: microseconds(event.backoffMs),
      connect_ms: microseconds(event.connectMs),
      breaker_ms: microseconds(event.breakerMs),
      retry_after_ms: microseconds(event.retryAfterMs),
    },
    bytes_in: event.bytesIn,
    bytes_out: event.bytesOut,
    shared: event.shared,
    retry_denied: event.retryDenied ?? null,
  }
}
