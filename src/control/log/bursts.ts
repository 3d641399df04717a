import type { Clock, Timer } from '../../clock.ts'

/** Time in ms for which a repeated line is held back. */
const WINDOW_MS = 10_000
/** Largest number of lines that are tracked. Others are written as they come. */
const MAX_LINES = 1_000

type Burst = { repeats: number; readonly timer: Timer; readonly end: () => void }

/** Writes a repeated line once, and later how often it was repeated: an error that comes 10,000 times is one error. */
export class Bursts {
  readonly #clock: Clock
  readonly #underWay = new Map<string, Burst>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /**
   * @param key equal for equal lines.
   * @param write called at once with undefined, and at the end of the window with the number of repeats.
   */
  tell(key: string, write: (repeats: number | undefined) => void): void {
    const known = this.#underWay.get(key)
    if (known !== undefined) {
      known.repeats += 1
      return
    }
    write(undefined)
    if (this.#underWay.size >= MAX_LINES) return
    const end = () => {
      this.#underWay.delete(key)
      if (burst.repeats > 0) write(burst.repeats)
    }
    const burst: Burst = { repeats: 0, timer: this.#clock.after(WINDOW_MS, end), end }
    this.#underWay.set(key, burst)
  }

  /** Writes the pending numbers of repeats. */
  close(): void {
    for (const { timer, end } of [...this.#underWay.values()]) {
      this.#clock.cancel(timer)
      end()
    }
  }
}
