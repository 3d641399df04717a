import type { Clock, Timer } from '../clock.ts'

type Pending = {
  readonly dueAt: number
  /** Of two that are due at the same time the one that was set first fires first. */
  readonly order: number
  readonly fire: () => void
  /** Its place in the heap; -1 when it is not in there any more. */
  place: number
}

/** So many timers fire before the process may look at its signals. */
const YIELD_EVERY = 4096

/**
 * A clock that jumps from one due timer to the next. Between two of them every promise has settled: each timer fires in a
 * `process.nextTick` that was asked for in a microtask, and Node calls such a one only when the queue of microtasks is
 * empty. Nothing that it drives may wait for anything but this clock.
 */
export class VirtualClock implements Clock {
  readonly #epochMs: number
  readonly #heap: Pending[] = []
  #now = 0
  #made = 0

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

  /** It never stands still. */
  stalledMs(): number {
    return 0
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

  /** Resolves when no timer is set; rejects with what a timer threw. */
  run(): Promise<void> {
    return new Promise((resolve, reject) => {
      let fired = 0
      const settle = () => process.nextTick(step)
      const step = () => {
        const due = this.#heap[0]
        if (due === undefined) return resolve()
        this.#remove(0)
        this.#now = due.dueAt
        try {
          due.fire()
        } catch (error) {
          return reject(error)
        }
        fired += 1
        if (fired % YIELD_EVERY === 0) setImmediate(step)
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
