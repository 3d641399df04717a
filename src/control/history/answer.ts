/** Joins kept rows into the steps of an answer. */

import { isoTime } from '../../clock.ts'
import type { HistoryColumns, HistoryMark, HistoryView } from '../../dashboard/shapes.ts'
import { percentile } from '../live/recent.ts'
import type { HistoryQuery } from './query.ts'
import { addPacked, type Row } from './rows.ts'
import { type Bin, freshBin } from './steps.ts'

export type DatedRow = Row & { readonly at: number }

/** Adds rows one by one, so that whoever has many can let others run in between. */
export class Answer {
  readonly #query: HistoryQuery
  readonly #steps: number
  /** Seconds that were recorded, by step. */
  readonly #covered: number[]
  readonly #bins = new Map<string, (Bin | undefined)[]>()
  readonly #marks: HistoryMark[] = []
  /** Why what the store keeps could not be read; null when it could. */
  missing: string | null = null

  /** @param names upstreams that the answer has in any case. */
  constructor(query: HistoryQuery, names: readonly string[]) {
    this.#query = query
    this.#steps = Math.round((query.to - query.from) / query.stepMs)
    this.#covered = Array.from({ length: this.#steps }, () => 0)
    for (const name of names) if (this.#isMeant(name)) this.#bins.set(name, [])
  }

  add({ at, seconds, upstreams, marks }: DatedRow): void {
    const { from, stepMs } = this.#query
    const step = Math.floor((at - from) / stepMs)
    if (step < 0 || step >= this.#steps) return
    this.#covered[step] = (this.#covered[step] ?? 0) + seconds
    for (const [name, values] of upstreams) {
      if (!this.#isMeant(name)) continue
      const bins = this.#bins.get(name) ?? []
      this.#bins.set(name, bins)
      const bin = bins[step] ?? freshBin()
      bins[step] = bin
      addPacked(bin, values)
    }
    this.#marks.push(...marks.filter(({ upstream }) => upstream === null || this.#isMeant(upstream)))
  }

  view(): HistoryView {
    const { from, to, stepMs } = this.#query
    const names = [...this.#bins.keys()].sort()
    return {
      from: isoTime(from),
      to: isoTime(to),
      step_s: stepMs / 1000,
      at: this.#covered.map((_, step) => isoTime(from + step * stepMs)),
      upstreams: Object.fromEntries(names.map((name) => [name, this.#columns(this.#bins.get(name) ?? [])])),
      marks: this.#marks.toSorted((a, b) => (a.at < b.at ? -1 : 1)),
      missing: this.missing,
    }
  }

  #columns(bins: readonly (Bin | undefined)[]): HistoryColumns {
    const column = (of: (bin: Bin) => number | null) =>
      this.#covered.map((seconds, step) => (seconds === 0 ? null : of(bins[step] ?? NONE)))
    return {
      requests: column((bin) => bin.requests),
      failures: column((bin) => bin.failures),
      refusals: column((bin) => bin.refusals),
      retries: column((bin) => bin.retries),
      saved: column((bin) => bin.saved),
      p50_ms: column((bin) => percentile(bin.durations, 0.5)),
      p99_ms: column((bin) => percentile(bin.durations, 0.99)),
      open_s: column((bin) => bin.openMs / 1000),
      in_flight: column((bin) => bin.inFlight),
    }
  }

  #isMeant(name: string): boolean {
    return this.#query.upstream === undefined || this.#query.upstream === name
  }
}

const NONE = freshBin()
