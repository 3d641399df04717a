import type { SharedRate, TurnsAsk } from '../../peers.ts'

export type Granted = {
  readonly turns: readonly { readonly id: string; readonly inMs: number }[]
  readonly nextMs: number
}

type Use = { readonly key: string; at: number }

/** Longest time in ms for which a turn counts beyond its window, and for all to report after a loss: as in src/fleet/fleet.ts. */
const MAX_MARGIN_MS = 50
const SETTLE_MS = 2_000

/** The script TURNS of src/fleet/scripts.ts, line by line. */
export class SharedWindow {
  /** In the order of their times. */
  readonly #uses: Use[] = []
  readonly #byKey = new Map<string, Use>()
  #from = 0
  #calls = 0
  #quietSince: number | undefined
  #settledAt = 0
  #seq = 0

  /** @param isLost whether sidecars know an earlier window, and have calls to report. */
  constructor(now: number, isLost: boolean) {
    if (isLost) this.#settledAt = now + SETTLE_MS
    this.#quietSince = now
  }

  ask(
    id: string,
    { rate, want, aheadMs, returned }: TurnsAsk,
    used: readonly { readonly id: string; readonly ageMs: number }[],
    now: number,
  ): Granted {
    const { requests, perMs, burst } = rate
    const marginMs = marginOf(rate)
    for (const { id: turn, ageMs } of used) this.#set(`${id}:${turn}`, now - ageMs)
    for (const turn of returned) this.#remove(`${id}:${turn}`)
    while ((this.#uses[0]?.at ?? now) <= now - perMs - marginMs) this.#byKey.delete(this.#uses.shift()?.key ?? '')
    if (this.#quietSince !== undefined && now - this.#quietSince >= perMs) this.#quietSince = undefined
    const interval = perMs / requests
    const turns = []
    let nextAt = now
    for (let i = 0; i < want; i += 1) {
      const oldest = this.#uses[this.#uses.length - requests]?.at ?? Number.NEGATIVE_INFINITY
      const atOnce = this.#quietSince === undefined ? burst : 1
      const turnAt = Math.max(
        now,
        this.#settledAt,
        oldest + perMs + marginMs,
        this.#from + (this.#calls - (atOnce - 1)) * interval,
      )
      nextAt = turnAt
      if (turnAt > now + aheadMs) break
      if (this.#from + this.#calls * interval <= turnAt) {
        this.#from = turnAt
        this.#calls = 1
      } else this.#calls += 1
      if (this.#quietSince !== undefined) this.#quietSince = turnAt
      this.#seq += 1
      this.#set(`${id}:${this.#seq}`, turnAt + aheadMs)
      turns.push({ id: String(this.#seq), inMs: turnAt - now })
    }
    return { turns, nextMs: nextAt - now }
  }

  #set(key: string, at: number): void {
    this.#remove(key)
    const use = { key, at }
    this.#byKey.set(key, use)
    this.#uses.splice(this.#uses.findLastIndex((one) => one.at <= at) + 1, 0, use)
  }

  #remove(key: string): void {
    const use = this.#byKey.get(key)
    if (use === undefined) return
    this.#byKey.delete(key)
    this.#uses.splice(this.#uses.lastIndexOf(use), 1)
  }
}

const marginOf = ({ perMs }: SharedRate) => Math.min(MAX_MARGIN_MS, perMs / 50)
