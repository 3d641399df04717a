import { isoTime } from '../../clock.ts'
import type { RequestView } from '../../dashboard/shapes.ts'
import type { RequestEvent, RouteRef } from '../../events.ts'

/** Number of requests that are kept. */
const MAX_KEPT = 300

type RoutedEvent = RequestEvent & { readonly ref: RouteRef }
type Kept = { readonly event: RoutedEvent; readonly wallAt: number }

/** The newest requests, whatever their outcome. Events are kept as they are and formatted when somebody looks. */
export class Requests {
  /** In a ring: the oldest is replaced. */
  readonly #kept: Kept[] = []
  #next = 0

  /** @param wallAt ms since the Unix epoch. */
  record(event: RequestEvent, wallAt: number): void {
    if (event.ref === undefined) return
    this.#kept[this.#next] = { event: { ...event, ref: event.ref }, wallAt }
    this.#next = (this.#next + 1) % MAX_KEPT
  }

  /** @param upstream undefined for all. */
  newestFirst(upstream: string | undefined, limit: number): RequestView[] {
    const oldestFirst = [...this.#kept.slice(this.#next), ...this.#kept.slice(0, this.#next)]
    const meant =
      upstream === undefined ? oldestFirst : oldestFirst.filter(({ event }) => event.ref.upstream === upstream)
    return meant.slice(-limit).reverse().map(shownRequest)
  }

  find(id: string): RequestView | undefined {
    const found = this.#kept.find(({ event }) => event.id === id)
    return found && shownRequest(found)
  }
}

/** A request with its attempts and waits. */
export function shownRequest({ event, wallAt }: Kept): RequestView {
  const { ref, method, path, status, reason = null, attempts, totalMs, history, startedAt, id } = event
  return {
    at: isoTime(wallAt),
    upstream: ref.upstream,
    route: ref.route,
    method,
    path,
    status,
    reason,
    limit: event.limit === undefined ? null : `${event.limit.key}: ${event.limit.value}`,
    attempts,
    total_ms: rounded(totalMs),
    first_byte_ms: event.firstByteMs === undefined ? null : rounded(event.firstByteMs),
    waits: {
      queue_ms: rounded(event.queueMs),
      backoff_ms: rounded(event.backoffMs),
      connect_ms: rounded(event.connectMs),
      breaker_ms: rounded(event.breakerMs),
      retry_after_ms: rounded(event.retryAfterMs),
    },
    bytes_in: event.bytesIn,
    bytes_out: event.bytesOut,
    shared: event.shared,
    retry_denied: event.retryDenied ?? null,
    history: history.map(({ startedAt: since, ms, outcome, endpoint = null }) => ({
      at_ms: rounded(since - startedAt),
      ms: rounded(ms),
      outcome: String(outcome),
      endpoint,
    })),
    request_id: id,
    trace_id: event.trace?.traceId ?? null,
  }
}

const rounded = (ms: number) => Math.round(ms * 1000) / 1000
