import type { RequestView } from '../../dashboard/shapes.ts'
import type { RequestEvent } from '../../events.ts'
import { microseconds } from '../log/attempts.ts'
import { isRouted, type Kept, Newest, told } from './kept.ts'

/** Number of requests that are kept. */
const MAX_KEPT = 300

/** The newest requests, whatever their outcome. */
export class Requests {
  readonly #kept = new Newest<Kept>(MAX_KEPT)

  /** @param wallAt ms since the Unix epoch. */
  record(event: RequestEvent, wallAt: number): void {
    if (isRouted(event)) this.#kept.keep({ event, wallAt })
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
