/** The requests of one upstream of the last minutes: whether too many fail, and what came before a breaker opened. */

import type { RequestFact } from './fact.ts'

/** Requests that are looked at, and how many of them may fail: over a tenth is trouble. */
const LOOKED_AT = 20
const MAY_FAIL = 2
/** Requests that are older do not count: twenty a day say nothing about now. */
const LOOK_BACK_MS = 300_000
/** What went wrong that long before the first sign belongs to the incident. */
const BEFORE_MS = 60_000
const MAX_BEFORE = 50

export class Watched {
  readonly #at: number[] = []
  readonly #isBad: boolean[] = []
  #next = 0
  #bad = 0
  #before: RequestFact[] = []

  /** Counts a request that was tried, or that a limit refused. @returns whether too many of the last ones failed. */
  count(at: number, isBad: boolean): boolean {
    const place = this.#next
    if (this.#isBad[place] === true) this.#bad -= 1
    this.#at[place] = at
    this.#isBad[place] = isBad
    if (isBad) this.#bad += 1
    this.#next = (place + 1) % LOOKED_AT
    if (this.#bad <= MAY_FAIL || this.#at.length < LOOKED_AT) return false
    return at - (this.#at[this.#next] ?? 0) <= LOOK_BACK_MS
  }

  /** Keeps a request that had trouble, in case that it was the first of more. */
  keep(fact: RequestFact): void {
    this.#before.push(fact)
    if (this.#before.length > MAX_BEFORE) this.#before.shift()
  }

  /** Takes what was kept. */
  takeBefore(at: number): RequestFact[] {
    const before = this.#before.filter((fact) => at - fact.at <= BEFORE_MS)
    this.#before = []
    return before
  }
}
