/** The life of the process: listening, draining, closed. */

import type { DestinationStream } from 'pino'
import type { Clock } from './clock.ts'
import type { Emit, ReloadReport, ReloadTrigger } from './events.ts'
import type { Resolve } from './net/dns-cache.ts'
import type { Address } from './net/listen.ts'

/** What the process, or a test, gives to the sidecar. */
export type Outside = {
  readonly clock: Clock
  readonly random: () => number
  readonly newId: () => string
  readonly version: string
  /** Resolves upstreams' names. */
  readonly resolve: Resolve
  /** Where log lines go; undefined for stdout. */
  readonly logTo: DestinationStream | undefined
}

/** The running sidecar, for its process and for tests. */
export type App = {
  /** Present addresses. A reload may change them. */
  readonly addresses: () => {
    readonly shared: Address | undefined
    readonly control: Address
    /** By upstream, for upstreams with their own listener. */
    readonly upstreams: ReadonlyMap<string, Address>
  }
  /** Reads the configuration again and puts it in force, whole or not at all. Never rejects. */
  readonly reload: (trigger: ReloadTrigger) => Promise<ReloadReport | undefined>
  /** Logs and counts an error that reached the process. */
  readonly tell: (error: unknown) => void
  /**
   * Stops in order: not ready at once; no new connections after DRAIN_DELAY_MS; requests end, or are cut after `shutdown`;
   * everything closes.
   */
  readonly drain: () => Promise<void>
  /** Closes everything now. Requests under way are cut. */
  readonly close: () => Promise<void>
}

/** Time in ms for those who watch `/readyz` to stop sending before connections are refused. */
const DRAIN_DELAY_MS = 1_000

/** Time in ms for the last answers of cut requests. */
const CUT_MS = 1_000

/** Requests that a drain waits for. */
type Requests = {
  /** Longest wait in ms. */
  readonly shutdownMs: number
  inFlight(): number
  /** Accepts no more connections. Resolves when no request is under way, or after so many ms. */
  finish(ms: number): Promise<void>
  /** Cuts the requests under way. */
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

  /** @param close called at the end, together with those of all other rooms. */
  onClose(close: () => Promise<void>): void {
    this.#rooms.push(close)
  }

  /** @param end called after all rooms are closed, for observers of their end. */
  onEnd(end: () => void): void {
    this.#observers.push(end)
  }

  /** Conditions for having started, and for taking traffic. */
  readonly conditions = () => ({
    started: { listening: this.isListening },
    ready: { listening: this.isListening, 'accepting requests': !this.isDraining },
  })

  /** The part of `drain` up to the last request. */
  async drain(requests: Requests, emit: Emit): Promise<void> {
    this.isDraining = true
    emit({ kind: 'draining', inFlight: requests.inFlight() })
    await new Promise<void>((resolve) => this.#clock.after(DRAIN_DELAY_MS, resolve))
    await requests.finish(requests.shutdownMs)
    emit({ kind: 'drained', cut: requests.inFlight() })
    requests.cut()
    await requests.finish(CUT_MS)
  }

  /** Harmless when everything is closed. */
  async close(): Promise<void> {
    this.isDraining = true
    await Promise.all(this.#rooms.splice(0).map((close) => close()))
    for (const end of this.#observers.splice(0)) end()
  }
}
