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
 * While a breaker of an endpoint with a health path is open, asks that path; once it is well, lets probes through before
 * the open time is over. It never opens or closes a breaker: that is for the probes to find out.
 */
export class EarlyProbes {
  readonly #endpoints: readonly Watched[]
  readonly #isOpen: OfEndpoint<boolean>
  readonly #allowProbes: OfEndpoint<void>
  readonly #clock: Clock
  readonly #fault: (error: unknown) => void
  readonly #timers = new Map<Watched, Timer>()
  #isClosed = false

  /** @param fault told what `allowProbes` throws. */
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

  /** Goes on with those whose breaker is open already. */
  begin(): void {
    for (const watched of this.#endpoints) if (this.#isOpen(watched.upstream, watched.origin)) this.#schedule(watched)
  }

  record(event: Event): void {
    if (event.kind !== 'breaker' || event.to !== 'open') return
    for (const watched of this.#endpoints) {
      const isMeant = watched.upstream === event.upstream && (event.endpoint ?? watched.origin) === watched.origin
      if (isMeant) this.#schedule(watched)
    }
  }

  close(): void {
    this.#isClosed = true
    for (const timer of this.#timers.values()) this.#clock.cancel(timer)
    this.#timers.clear()
  }

  #schedule(watched: Watched): void {
    if (this.#isClosed || this.#timers.has(watched)) return
    const { upstream, origin, health, intervalMs } = watched
    const timer = this.#clock.after(intervalMs, () => {
      this.#timers.delete(watched)
      if (!this.#isOpen(upstream, origin)) return
      // Not well is no news: it is asked again in the next interval.
      health
        .look()
        .then(
          () => this.#allowProbes(upstream, origin),
          () => this.#schedule(watched),
        )
        .catch(this.#fault)
    })
    this.#timers.set(watched, timer)
  }
}
