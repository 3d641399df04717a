import type { Clock } from '../clock.ts'

/** A smaller step in ms is a correction of the clock, and is followed at once. */
const MIN_JUMP_MS = 60_000
/** Time in ms after which a jump counts as the right time. */
const SETTLES_MS = 3_600_000

/**
 * Time by which records expire: the wall clock without its jumps, so that a clock that is wrong for a while deletes nothing.
 * After an hour a jump is taken over, and the expiry of all records is moved by it, so that none loses its time.
 */
export class SteadyTime {
  readonly #clock: Clock
  readonly #jumped: (byMs: number) => void
  /** Difference between wall clock and monotonic clock at the last look. */
  #ahead: number
  #offset = 0
  #since = 0

  /** @param jumped called with each jump of the wall clock against the monotonic one in ms; negative for back. */
  constructor(clock: Clock, jumped: (byMs: number) => void) {
    this.#clock = clock
    this.#jumped = jumped
    this.#ahead = clock.wallNow() - clock.now()
  }

  /** Whole ms since the Unix epoch. */
  now(): number {
    this.#look()
    return this.#clock.wallNow() - this.#offset
  }

  /** Takes over a jump that has lasted. @returns ms by which stored times must be moved; 0 in most cases. */
  settle(): number {
    this.#look()
    if (this.#offset === 0 || this.#clock.now() - this.#since < SETTLES_MS) return 0
    const byMs = this.#offset
    this.#offset = 0
    return byMs
  }

  #look(): void {
    const ahead = this.#clock.wallNow() - this.#clock.now()
    const byMs = Math.round(ahead - this.#ahead)
    this.#ahead = ahead
    if (Math.abs(byMs) < MIN_JUMP_MS) return
    this.#offset += byMs
    this.#since = this.#clock.now()
    this.#jumped(byMs)
  }
}
