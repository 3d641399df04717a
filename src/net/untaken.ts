/**
 * Whether the other side of a connection takes bytes although no `drain` reports it: node reports room only when the system has
 * room for much at once. A side that reads slowly but steadily is not idle.
 */
export class Untaken {
  readonly #read: () => number
  #bytes: number | undefined

  /** @param read bytes that the other side has not taken now. Costs a system call or more: not called before the first look. */
  constructor(read: () => number) {
    this.#read = read
  }

  /** Whether it has shrunk since the last look; false at the first one. */
  hasShrunk(): boolean {
    const before = this.#bytes
    this.#bytes = this.#read()
    return before !== undefined && this.#bytes < before
  }
}

/** Number of looks at a slow side within an idle timeout. */
export const LOOKS = 4
