/** Number of looks at a slow side within an idle timeout. */
const LOOKS = 4

/**
 * Whether the other side of a connection takes bytes although no `drain` reports it: node reports room only when the system has
 * room for much at once. A side that reads slowly but steadily is not idle.
 */
export class Untaken {
  readonly #read: () => number
  #bytes: number | undefined
  #lookedAt: number

  /**
   * @param read bytes that the other side has not taken now. Costs a system call or more: not called before the first look.
   * @param now monotonic ms.
   */
  constructor(read: () => number, now: number) {
    this.#read = read
    this.#lookedAt = now
  }

  /** Monotonic ms of the next look. */
  nextLookAt(idleMs: number): number {
    return this.#lookedAt + idleMs / LOOKS
  }

  /**
   * Whether it has changed since the last look; false at the first one. It also grows when bytes were taken: what the system took
   * of a write counts twice until the write is done.
   */
  hasMoved(now: number): boolean {
    const before = this.#bytes
    this.#bytes = this.#read()
    this.#lookedAt = now
    return before !== undefined && this.#bytes !== before
  }
}
