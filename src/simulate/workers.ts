/**
 * Workers with a queue in order of arrival. Work whose client has left is done all the same, since a service notices that only
 * when it answers. Times in ms.
 */
export class Workers {
  readonly #count: number
  readonly #queue: number
  /** Times at which busy workers are free, soonest first. */
  #freeAt: number[] = []
  /** Start times of waiting calls in order, from `#next` on. */
  #beginAt: number[] = []
  #next = 0

  constructor(count: number, queue: number) {
    this.#count = count
    this.#queue = queue
  }

  /** @returns the time at which a call of that length is done; undefined when the queue is full. */
  take(now: number, neededMs: number): number | undefined {
    this.#pass(now)
    const isFull = this.#freeAt.length >= this.#count
    if (isFull && this.#beginAt.length - this.#next >= this.#queue) return undefined
    const beginAt = isFull ? (this.#freeAt.shift() ?? now) : now
    if (beginAt > now) this.#beginAt.push(beginAt)
    const doneAt = Math.max(now, beginAt) + neededMs
    this.#freeAt.splice(placeOf(doneAt, this.#freeAt), 0, doneAt)
    return doneAt
  }

  /** Drops all work. */
  restart(): void {
    this.#freeAt = []
    this.#beginAt = []
    this.#next = 0
  }

  #pass(now: number): void {
    let free = 0
    while ((this.#freeAt[free] ?? Number.POSITIVE_INFINITY) <= now) free += 1
    if (free > 0) this.#freeAt.splice(0, free)
    while ((this.#beginAt[this.#next] ?? Number.POSITIVE_INFINITY) <= now) this.#next += 1
    if (this.#next < 1024 || this.#next * 2 < this.#beginAt.length) return
    this.#beginAt.splice(0, this.#next)
    this.#next = 0
  }
}

/** Index at which a number belongs in a sorted list. */
function placeOf(number: number, list: readonly number[]): number {
  let [low, high] = [0, list.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((list[middle] ?? 0) > number) high = middle
    else low = middle + 1
  }
  return low
}
