/** Time in ms for which what was learned counts. */
const LEARNED_MS = 60_000
/** A connection is doubtful that much before the upstream may close it: at least in ms, and as a share of the time. */
const MARGIN_MS = 100
const MARGIN_SHARE = 0.1

/**
 * For how long an upstream keeps idle connections, as its own closes tell: uvicorn 5 s, gunicorn 2 s, some a few ms, and few say it.
 * A request that crosses such a close is lost, and one that may not be repeated fails for its client. So it goes over a new
 * connection where the kept one may be closed meanwhile (RFC 9112 section 9.3.1 leaves that to the client).
 */
export class KeptFor {
  #ms = Number.POSITIVE_INFINITY
  #untilAt = Number.NEGATIVE_INFINITY

  /** The upstream closed a connection after that idle time, or had closed it when a request came. @param now monotonic ms. */
  closedAfter(idleMs: number, now: number): void {
    this.#ms = now < this.#untilAt ? Math.min(this.#ms, idleMs) : idleMs
    this.#untilAt = now + LEARNED_MS
  }

  /** A request over a connection that had been idle for so long was answered: what was shorter had another reason. */
  answeredAfter(idleMs: number): void {
    if (idleMs > this.#ms) this.#untilAt = Number.NEGATIVE_INFINITY
  }

  /** Whether a connection that has been idle for so long may be closed before a request arrives. */
  isDoubtful(idleMs: number, now: number): boolean {
    return now < this.#untilAt && idleMs + Math.max(MARGIN_MS, MARGIN_SHARE * this.#ms) >= this.#ms
  }
}
