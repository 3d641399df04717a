/** Requests that are kept for the page: as events, and formatted when somebody looks. */

import { isoTime } from '../../clock.ts'
import type { ToldRequest } from '../../dashboard/shapes.ts'
import type { RequestEvent, RouteRef } from '../../events.ts'
import { microseconds } from '../log/attempts.ts'

type RoutedEvent = RequestEvent & { readonly ref: RouteRef }

/** @property wallAt ms since the Unix epoch. */
export type Kept = { readonly event: RoutedEvent; readonly wallAt: number }

export const isRouted = (event: RequestEvent): event is RoutedEvent => event.ref !== undefined

/** The newest values of a kind. */
export class Newest<V> {
  readonly #most: number
  /** In a ring: once it is full, the oldest is replaced. */
  readonly #all: V[] = []
  #next = 0

  constructor(most: number) {
    this.#most = most
  }

  keep(value: V): void {
    this.#all[this.#next] = value
    this.#next = (this.#next + 1) % this.#most
  }

  oldestFirst(): V[] {
    return [...this.#all.slice(this.#next), ...this.#all.slice(0, this.#next)]
  }
}

/** What the page tells of a request, whether or not it failed. */
export function told({ event, wallAt }: Kept): ToldRequest {
  const { ref, method, path, status, reason = null, attempts, totalMs, history, startedAt, id, trace } = event
  return {
    at: isoTime(wallAt),
    upstream: ref.upstream,
    route: ref.route,
    method,
    path,
    status,
    reason,
    attempts,
    total_ms: microseconds(totalMs),
    history: history.map(({ startedAt: since, ms, outcome, endpoint = null }) => ({
      at_ms: microseconds(since - startedAt),
      ms: microseconds(ms),
      outcome: String(outcome),
      endpoint,
    })),
    request_id: id,
    trace_id: trace?.traceId ?? null,
  }
}
