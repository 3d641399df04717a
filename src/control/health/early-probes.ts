import type { Clock, Timer } from '../../clock.ts'
import type { Event } from '../../policy/events.ts'
import type { UpstreamHealth } from './upstream.ts'

type Watched = { readonly health: UpstreamHealth; readonly intervalMs: number }

/**
 * While a breaker of an upstream with a health path is open, asks that path; once it is well, lets probes through before
 * the open time is over. It never opens or closes a breaker: that is for the probes to find out.
 */
export class EarlyProbes {
  readonly #upstreams: ReadonlyMap<string, Watched>
  readonly #isOpen: (upstream: string) => boolean
  readonly #allowProbes: (upstream: string) => void
  readonly #clock: Clock
  readonly #timers = new Map<string, Timer>()

  constructor(
    upstreams: ReadonlyMap<string, Watched>,
    isOpen: (upstream: string) => boolean,
    allowProbes: (upstream: string) => void,
    clock: Clock,
  ) {
    this.#upstreams = upstreams
    this.#isOpen = isOpen
    this.#allowProbes = allowProbes
    this.#clock = clock
  }

  record(event: Event): void {
    if (event.kind === 'breaker' && event.to === 'open') this.#schedule(event.upstream)
  }

  close(): void {
    for (const timer of this.#timers.values()) this.#clock.cancel(timer)
    this.#timers.clear()
  }

  #schedule(name: string): void {
    const watched = this.#upstreams.get(name)
    if (watched === undefined || this.#timers.has(name)) return
    const timer = this.#clock.after(watched.intervalMs, () => {
      this.#timers.delete(name)
      if (!this.#isOpen(name)) return
      // Not well is no news: it is asked again in the next interval.
      watched.health.look().then(
        () => this.#allowProbes(name),
        () => this.#schedule(name),
      )
    })
    this.#timers.set(name, timer)
  }
}
