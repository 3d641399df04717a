import type { Clock, Timer } from '../../clock.ts'

/** How long the same line is held back after it was written, in ms. */
const WINDOW_MS = 10_000
/** Different lines that are kept track of; more are written as they come. */
const MOST = 1_000

type Burst = { repeats: number; readonly timer: Timer; readonly end: () => void }

/** Writes a line once, and says later how often it would have been repeated: an error that comes 10,000 times is one error. */
export class Bursts {
  readonly #clock: Clock
  readonly #underWay = new Map<string, Burst>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /**
   * @param key what makes two lines the same.
   * @param write is called at once with undefined, or at the end of the window with the number of repeats.
   */
  tell(key: string, write: (repeats: number | undefined) => void): void {
    const known = this.#underWay.get(key)
    if (known !== undefined) {
      known.repeats += 1
      return
    }
    write(undefined)
    if (this.#underWay.size >= MOST) return
    const end = () => {
      this.#underWay.delete(key)
      if (burst.repeats > 0) write(burst.repeats)
    }
    const burst: Burst = { repeats: 0, timer: this.#clock.after(WINDOW_MS, end), end }
    this.#underWay.set(key, burst)
  }

  /** Writes what is left to say of those under way. */
  close(): void {
    for (const { timer, end } of [...this.#underWay.values()]) {
      this.#clock.cancel(timer)
      end()
    }
  }
}
