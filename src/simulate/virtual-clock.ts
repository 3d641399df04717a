import type { Clock, Timer } from '../clock.ts'

type Pending = {
  readonly dueAt: number
  /** Order of timers that are due at the same time. */
  readonly order: number
  readonly fire: () => void
  /** Index in the heap; -1 when removed. */
  place: number
}

/** Number of timers after which the process may handle signals. */
const YIELD_EVERY = 4096

/**
 * A clock that jumps from one due timer to the next. Every promise settles in between: each timer fires in a `process.nextTick`
 * requested in a microtask, which Node runs when the queue of microtasks is empty. What it drives may wait for this clock only.
 */
export class VirtualClock implements Clock {
  readonly #epochMs: number
  readonly #heap: Pending[] = []
  #now = 0
  #made = 0
  #fired = 0

  /** @param epochMs the wall-clock time at 0, in ms since the Unix epoch. */
  constructor(epochMs: number) {
    this.#epochMs = epochMs
  }

  now(): number {
    return this.#now
  }

  wallNow(): number {
    return this.#epochMs + this.#now
  }

  /** It is never paused. */
  stalledMs(): number {
    return 0
  }

  /** Nobody keeps a history of a simulation. */
  everySecond(): () => void {
    return () => {}
  }

  watch(): () => void {
    return () => {}
  }

  after(delayMs: number, fire: () => void): Timer {
    const timer: Pending = { dueAt: this.#now + Math.max(0, delayMs), order: this.#made, fire, place: -1 }
    this.#made += 1
    this.#rise(timer, this.#heap.length)
    return timer
  }

  cancel(timer: Timer): void {
    const { place } = timer as Pending
    if (place >= 0) this.#remove(place)
  }

  /** Resolves when no timer is set. Rejects with an error of a timer. */
  run(): Promise<void> {
    return this.#fireUntil(Number.POSITIVE_INFINITY)
  }

  /**
   * Lets every promise settle, then moves the time on by `ms`. Timers due by then fire in order, each at its due time. Rejects
   * with an error of a timer.
   */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms
    await this.#fireUntil(until)
    this.#now = until
  }

  /** Resolves when no timer is due by that time and every promise has settled. */
  #fireUntil(until: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = () => process.nextTick(step)
      const step = () => {
        const due = this.#heap[0]
        if (due === undefined || due.dueAt > until) return resolve()
        this.#remove(0)
        this.#now = due.dueAt
        try {
          due.fire()
        } catch (error) {
          return reject(error)
        }
        this.#fired += 1
        if (this.#fired % YIELD_EVERY === 0) setImmediate(step)
        else queueMicrotask(settle)
      }
      queueMicrotask(settle)
    })
  }

  #remove(place: number): void {
    const heap = this.#heap
    const [removed, last] = [heap[place], heap.pop()]
    if (removed === undefined || last === undefined) return
    removed.place = -1
    if (removed === last) return
    const parent = heap[(place - 1) >> 1]
    if (place > 0 && parent !== undefined && isBefore(last, parent)) this.#rise(last, place)
    else this.#sink(last, place)
  }

  #rise(timer: Pending, from: number): void {
    let place = from
    while (place > 0) {
      const above = (place - 1) >> 1
      const parent = this.#heap[above]
      if (parent === undefined || !isBefore(timer, parent)) break
      this.#put(parent, place)
      place = above
    }
    this.#put(timer, place)
  }

  #sink(timer: Pending, from: number): void {
    const heap = this.#heap
    let place = from
    for (;;) {
      const left = heap[2 * place + 1]
      const right = heap[2 * place + 2]
      const first = right !== undefined && left !== undefined && isBefore(right, left) ? right : left
      if (first === undefined || !isBefore(first, timer)) break
      const below = first.place
      this.#put(first, place)
      place = below
    }
    this.#put(timer, place)
  }

  #put(timer: Pending, place: number): void {
    this.#heap[place] = timer
    timer.place = place
  }
}

const isBefore = (a: Pending, b: Pending) => a.dueAt < b.dueAt || (a.dueAt === b.dueAt && a.order < b.order)
