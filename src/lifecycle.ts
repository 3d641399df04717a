/** From the start to the end of the process: listening, draining, closed. */

import type { DestinationStream } from 'pino'
import type { Clock } from './clock.ts'
import type { Emit, ReloadReport, ReloadTrigger } from './events.ts'
import type { Resolve } from './net/dns-cache.ts'
import type { Address } from './net/listen.ts'

/** What the process, or a test, gives the sidecar from outside. */
export type Outside = {
  readonly clock: Clock
  readonly random: () => number
  readonly newId: () => string
  readonly version: string
  /** How upstreams' names become addresses. */
  readonly resolve: Resolve
  /** Where log lines go; undefined for stdout. */
  readonly logTo: DestinationStream | undefined
}

/** The running sidecar, as its process and tests hold it. */
export type App = {
  /** As of now: a reload may move them. */
  readonly addresses: () => {
    readonly shared: Address | undefined
    readonly control: Address
    /** By upstream, those that have a listener of their own. */
    readonly upstreams: ReadonlyMap<string, Address>
  }
  /** Reads the configuration again and puts it in force, whole or not at all. Never rejects. */
  readonly reload: (trigger: ReloadTrigger) => Promise<ReloadReport | undefined>
  /** Logs and counts an error that reached the process. */
  readonly tell: (error: unknown) => void
  /**
   * Stops in order: not ready at once, no new connections after DRAIN_DELAY_MS, every request under way to its end or,
   * after `shutdown`, cut, then all closed.
   */
  readonly drain: () => Promise<void>
  /** Closes everything now; requests under way are cut. */
  readonly close: () => Promise<void>
}

/** Time for whoever watches `/readyz` to look away before connections are refused, in ms. */
const DRAIN_DELAY_MS = 1_000

/** Time for the last answers of those that are cut to go out, in ms. */
const CUT_MS = 1_000

/** The requests that a drain waits for. */
type Requests = {
  /** The longest wait, in ms. */
  readonly shutdownMs: number
  inFlight(): number
  /** Accepts no more connections. Resolves when no request is under way, or after so many ms. */
  finish(ms: number): Promise<void>
  /** Ends the requests that are under way. */
  cut(): void
}

export class Lifecycle {
  readonly #clock: Clock
  readonly #rooms: (() => Promise<void>)[] = []
  readonly #observers: (() => void)[] = []
  isListening = false
  isDraining = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** @param close called when everything closes, together with all other rooms. */
  onClose(close: () => Promise<void>): void {
    this.#rooms.push(close)
  }

  /** @param end called once all rooms are closed: for those that watch them to the end. */
  onEnd(end: () => void): void {
    this.#observers.push(end)
  }

  /** What must hold for the sidecar to have started, and for it to take traffic. */
  readonly conditions = () => ({
    started: { listening: this.isListening },
    ready: { listening: this.isListening, 'accepting requests': !this.isDraining },
  })

  /** The first steps of App's `drain`: to its last request. */
  async drain(requests: Requests, emit: Emit): Promise<void> {
    this.isDraining = true
    emit({ kind: 'draining', inFlight: requests.inFlight() })
    await new Promise<void>((resolve) => this.#clock.after(DRAIN_DELAY_MS, resolve))
    await requests.finish(requests.shutdownMs)
    emit({ kind: 'drained', cut: requests.inFlight() })
    requests.cut()
    await requests.finish(CUT_MS)
  }

  /** Harmless when all is closed already. */
  async close(): Promise<void> {
    this.isDraining = true
    await Promise.all(this.#rooms.splice(0).map((close) => close()))
    for (const end of this.#observers.splice(0)) end()
  }
}
