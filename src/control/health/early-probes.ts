import type { Clock, Timer } from '../../clock.ts'
import type { Event } from '../../events.ts'
import type { UpstreamHealth } from './upstream.ts'

/** An endpoint with a health path. */
export type Watched = {
  readonly upstream: string
  readonly origin: string
  readonly health: Pick<UpstreamHealth, 'look'>
  readonly intervalMs: number
}

type OfEndpoint<R> = (upstream: string, origin: string) => R

/**
 * Checks the health path of an endpoint while a breaker of it is open, and lets the breaker admit probes early once the check
 * succeeds; a second time only after the check has failed or the breaker has closed, since an API may be broken behind a sound
 * health path. Never opens or closes a breaker: the probes decide.
 */
export class EarlyProbes {
  readonly #endpoints: readonly Watched[]
  readonly #isOpen: OfEndpoint<boolean>
  readonly #allowProbes: OfEndpoint<void>
  readonly #clock: Clock
  readonly #fault: (error: unknown) => void
  readonly #timers = new Map<Watched, Timer>()
  /** Endpoints whose breakers were let probe early since their check last failed. */
  readonly #moved = new Set<Watched>()
  #isClosed = false

  /** @param fault called with what `allowProbes` throws. */
  constructor(
    endpoints: readonly Watched[],
    isOpen: OfEndpoint<boolean>,
    allowProbes: OfEndpoint<void>,
    clock: Clock,
    fault: (error: unknown) => void,
  ) {
    this.#endpoints = endpoints
    this.#isOpen = isOpen
    this.#allowProbes = allowProbes
    this.#clock = clock
    this.#fault = fault
  }

  /** Continues for breakers that are open already. */
  begin(): void {
    for (const watched of this.#endpoints) if (this.#isOpen(watched.upstream, watched.origin)) this.#schedule(watched)
  }

  record(event: Event): void {
    if (event.kind !== 'breaker') return
    for (const watched of this.#endpoints) {
      const isMeant = watched.upstream === event.upstream && (event.endpoint ?? watched.origin) === watched.origin
      if (!isMeant) continue
      if (event.to === 'open') this.#schedule(watched)
      if (event.to === 'closed') this.#moved.delete(watched)
    }
  }

  close(): void {
    this.#isClosed = true
    for (const timer of this.#timers.values()) this.#clock.cancel(timer)
    this.#timers.clear()
  }

  #onHealthy(watched: Watched): void {
    if (this.#moved.has(watched)) return this.#schedule(watched)
    this.#moved.add(watched)
    this.#allowProbes(watched.upstream, watched.origin)
  }

  #schedule(watched: Watched): void {
    if (this.#isClosed || this.#timers.has(watched)) return
    const { upstream, origin, health, intervalMs } = watched
    const timer = this.#clock.after(intervalMs, () => {
      this.#timers.delete(watched)
      if (!this.#isOpen(upstream, origin)) return
      health
        .look()
        .then(
          () => this.#onHealthy(watched),
          () => {
            this.#moved.delete(watched)
            this.#schedule(watched)
          },
        )
        .catch(this.#fault)
    })
    this.#timers.set(watched, timer)
  }
}
