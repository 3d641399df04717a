import type { Clock } from '../clock.ts'

/** A smaller step is a correction of the clock, and followed at once. */
const MIN_JUMP_MS = 60_000
/** A jump that has lasted so long is the right time. */
const SETTLES_MS = 3_600_000

/**
 * The time by which records expire: the wall clock without its jumps, so that a clock that is wrong for a while deletes
 * nothing. A jump that lasts an hour is taken over; records are to be moved by as much, so that none loses of its life.
 */
export class SteadyTime {
  readonly #clock: Clock
  readonly #jumped: (byMs: number) => void
  /** How far the wall clock was ahead of the monotonic one at the last look. */
  #ahead: number
  #offset = 0
  #since = 0

  /** @param jumped told of each jump of the wall clock against the monotonic one, in ms; negative for one back. */
  constructor(clock: Clock, jumped: (byMs: number) => void) {
    this.#clock = clock
    this.#jumped = jumped
    this.#ahead = clock.wallNow() - clock.now()
  }

  /** In whole ms since the Unix epoch. */
  now(): number {
    this.#look()
    return this.#clock.wallNow() - this.#offset
  }

  /** Takes over a jump that has lasted. @returns by how many ms times that are kept have to be moved; mostly 0. */
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
