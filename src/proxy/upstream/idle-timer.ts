import type { Clock, Timer } from '../../clock.ts'

/** Time in ms by which idle connections are closed late, so that several are closed at once. */
const LATE_MS = 20

/** One timer for all idle connections of an upstream: it is set anew only when one of them ends sooner. */
export class IdleTimer {
  readonly #clock: Clock
  readonly #closeDue: (now: number) => number
  #timer: Timer | undefined
  #dueAt = Number.POSITIVE_INFINITY

  /** @param closeDue closes those that are due. @returns monotonic ms at which the next one is; Infinity for none. */
  constructor(clock: Clock, closeDue: (now: number) => number) {
    this.#clock = clock
    this.#closeDue = closeDue
  }

  /** A connection is due at that time, in monotonic ms. */
  by(at: number): void {
    if (at >= this.#dueAt) return
    this.stop()
    this.#dueAt = at
    this.#timer = this.#clock.after(at - this.#clock.now() + LATE_MS, () => {
      this.#timer = undefined
      this.#dueAt = Number.POSITIVE_INFINITY
      this.by(this.#closeDue(this.#clock.now()))
    })
  }

  stop(): void {
    if (this.#timer !== undefined) this.#clock.cancel(this.#timer)
    this.#timer = undefined
    this.#dueAt = Number.POSITIVE_INFINITY
  }
}
