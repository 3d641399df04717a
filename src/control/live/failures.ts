import { isoTime } from '../../clock.ts'
import { isBreakerRefusal } from '../../errors.ts'
import type { Failure, RequestView } from '../../dashboard/shapes.ts'
import type { RequestEvent, RouteRef } from '../../events.ts'
import { outcomeOf } from '../../incidents/outcome.ts'
import { shownRequest } from './requests.ts'

/** Number of failures of each kind that are kept. */
const MAX_KEPT = 100

/** A client that left is not a failure. */
export const isFailure = ({ status, reason }: RequestEvent) =>
  status >= 500 || (reason !== undefined && reason !== 'client_gone')

type Kept = { readonly event: RoutedEvent; readonly wallAt: number; readonly place: number }

/**
 * The newest failures, for the page. Events are kept as they are and formatted when somebody looks. An upstream with an open
 * breaker makes thousands per second: failures without an attempt are kept apart, so that they do not push out those that
 * opened it.
 */
export class Failures {
  readonly #tried = new Newest()
  readonly #untried = new Newest()
  readonly #lastOf = new Map<string, Kept>()
  readonly #lastEffectOf = new Map<string, Kept>()
  #count = 0

  /** @param wallAt ms since the Unix epoch. */
  record(event: RequestEvent, wallAt: number): void {
    if (!isRouted(event)) return
    this.#count += 1
    const kept = { event, wallAt, place: this.#count }
    const alike = event.attempts === 0 ? this.#untried : this.#tried
    alike.keep(kept)
    const isEffect = event.attempts === 0 && event.reason !== undefined && isBreakerRefusal(event.reason)
    if (isEffect) this.#lastEffectOf.set(event.ref.upstream, kept)
    else this.#lastOf.set(event.ref.upstream, kept)
  }

  newestFirst(): Failure[] {
    return [...this.#tried.all, ...this.#untried.all].sort((a, b) => b.place - a.place).map(shown)
  }

  find(id: string): RequestView | undefined {
    const found = [...this.#tried.all, ...this.#untried.all].find(({ event }) => event.id === id)
    return found && shownRequest(found)
  }

  /** A refusal by a breaker only where nothing else failed: it is the effect of what opened it. */
  lastOf(upstream: string): Failure | undefined {
    const last = this.#lastOf.get(upstream) ?? this.#lastEffectOf.get(upstream)
    return last && shown(last)
  }
}

class Newest {
  /** In no order. */
  readonly all: Kept[] = []
  /** Index of the oldest entry once the buffer is full. */
  #next = 0

  keep(kept: Kept): void {
    this.all[this.#next] = kept
    this.#next = (this.#next + 1) % MAX_KEPT
  }
}

type RoutedEvent = RequestEvent & { readonly ref: RouteRef }

const isRouted = (event: RequestEvent): event is RoutedEvent => event.ref !== undefined

function shown({ event, wallAt }: Kept): Failure {
  const { ref, method, path, status, reason = null, attempts, totalMs, history, startedAt, id, trace } = event
  return {
    at: isoTime(wallAt),
    upstream: ref.upstream,
    route: ref.route,
    method,
    path,
    status,
    reason,
    refused: outcomeOf(status, event.reason, attempts) === 'refused',
    attempts,
    total_ms: rounded(totalMs),
    history: history.map(({ startedAt: since, ms, outcome, endpoint = null }) => ({
      at_ms: rounded(since - startedAt),
      ms: rounded(ms),
      outcome: String(outcome),
      endpoint,
    })),
    request_id: id,
    trace_id: trace?.traceId ?? null,
  }
}

const rounded = (ms: number) => Math.round(ms * 1000) / 1000
