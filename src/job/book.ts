/** The jobs that are registered now, for both planes: the control side writes, the data side looks up. */

import type { Clock } from '../clock.ts'
import type { Inputs } from './timeouts.ts'

export type JobRecord = {
  readonly id: string
  readonly inputs: Inputs
  /** Wall-clock ms since the Unix epoch. */
  readonly startedAt: number
  /** Wall-clock ms; undefined when no timeout named `total` is configured. */
  readonly deadlineAt: number | undefined
}

/** Wall-clock ms at which a job put down now is forgotten: not before its deadline. */
export const keptUntil = ({ deadlineAt }: JobRecord, now: number, ttlMs: number) =>
  Math.max(now + ttlMs, deadlineAt ?? 0)

/** Holds them in memory, so that a look-up never waits for a store; what makes them durable is the control side's. */
export class JobBook {
  /** In the order in which they were put down, which is about that in which they are forgotten. */
  readonly #kept = new Map<string, { readonly record: JobRecord; readonly until: number }>()
  readonly #clock: Clock
  readonly #ttlMs: number

  constructor(ttlMs: number, clock: Clock) {
    this.#ttlMs = ttlMs
    this.#clock = clock
  }

  get size(): number {
    return this.#kept.size
  }

  /** Those that are not over, the newest first. */
  newest(limit: number): JobRecord[] {
    const now = this.#clock.wallNow()
    return [...this.#kept.values()]
      .filter(({ until }) => until > now)
      .slice(-limit)
      .reverse()
      .map(({ record }) => record)
  }

  find(id: string): JobRecord | undefined {
    const kept = this.#kept.get(id)
    return kept !== undefined && kept.until > this.#clock.wallNow() ? kept.record : undefined
  }

  put(record: JobRecord): void {
    const now = this.#clock.wallNow()
    for (const [id, { until }] of this.#kept) {
      if (until > now) break
      this.#kept.delete(id)
    }
    this.#kept.delete(record.id)
    this.#kept.set(record.id, { record, until: keptUntil(record, now, this.#ttlMs) })
  }

  remove(id: string): void {
    this.#kept.delete(id)
  }
}
