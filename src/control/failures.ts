import { isoTime } from '../clock.ts'
import type { RequestEvent } from '../policy/events.ts'

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

/** The newest failures, for who looks at the page rather than into the log. */
export class Failures {
  readonly #newestLast: Failure[] = []

  /** @param wallNow ms since the Unix epoch. */
  record(event: RequestEvent, wallNow: number): void {
    if (event.ref === undefined) return
    const { ref, method, path, status, reason = null, attempts, totalMs, history, startedAt, id } = event
    this.#newestLast.push({
      at: isoTime(wallNow),
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
    })
    if (this.#newestLast.length > MOST) this.#newestLast.shift()
  }

  newestFirst(): Failure[] {
    return this.#newestLast.toReversed()
  }

  lastOf(upstream: string): Failure | undefined {
    return this.#newestLast.findLast((failure) => failure.upstream === upstream)
  }
}

const rounded = (ms: number) => Math.round(ms * 1000) / 1000
