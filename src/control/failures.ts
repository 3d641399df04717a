import { isoTime } from '../clock.ts'
import type { RequestEvent, RouteRef } from '../policy/events.ts'

/** A request that failed, attempt by attempt; as the control API shows it. */
export type Failure = {
  readonly at: string
  readonly upstream: string
  readonly route: string
  readonly method: string
  readonly path: string
  readonly status: number
  /** The sidecar's own cause; null where the upstream's response was relayed. */
  readonly reason: string | null
  readonly attempts: number
  readonly total_ms: number
  readonly history: readonly {
    readonly at_ms: number
    readonly ms: number
    readonly outcome: string
    readonly endpoint: string | null
  }[]
  readonly request_id: string
}

const MOST = 200

/** A client that went away is no failure. */
export const isFailure = ({ status, reason }: RequestEvent) =>
  status >= 500 || (reason !== undefined && reason !== 'client_gone')

/**
 * The newest failures, for who looks at the page rather than into the log. Kept as they are told, and put into words when
 * somebody looks: an upstream whose breaker is open makes thousands of them a second.
 */
export class Failures {
  readonly #kept: { readonly event: RoutedEvent; readonly wallAt: number }[] = []
  /** Where the oldest of them stands once there are as many as are kept. */
  #next = 0

  /** @param wallAt ms since the Unix epoch. */
  record(event: RequestEvent, wallAt: number): void {
    if (!isRouted(event)) return
    this.#kept[this.#next] = { event, wallAt }
    this.#next = (this.#next + 1) % MOST
  }

  newestFirst(): Failure[] {
    return this.#oldestFirst().toReversed().map(shown)
  }

  lastOf(upstream: string): Failure | undefined {
    const last = this.#oldestFirst().findLast(({ event }) => event.ref.upstream === upstream)
    return last && shown(last)
  }

  #oldestFirst() {
    return [...this.#kept.slice(this.#next), ...this.#kept.slice(0, this.#next)]
  }
}

type RoutedEvent = RequestEvent & { readonly ref: RouteRef }

const isRouted = (event: RequestEvent): event is RoutedEvent => event.ref !== undefined

function shown({ event, wallAt }: { readonly event: RoutedEvent; readonly wallAt: number }): Failure {
  const { ref, method, path, status, reason = null, attempts, totalMs, history, startedAt, id } = event
  return {
    at: isoTime(wallAt),
    upstream: ref.upstream,
    route: ref.route,
    method,
    path,
    status,
    reason,
    attempts,
    total_ms: rounded(totalMs),
    history: history.map(({ startedAt: since, ms, outcome, endpoint = null }) => ({
      at_ms: rounded(since - startedAt),
      ms: rounded(ms),
      outcome: String(outcome),
      endpoint,
    })),
    request_id: id,
  }
}

const rounded = (ms: number) => Math.round(ms * 1000) / 1000
