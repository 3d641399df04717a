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

/** The oldest is forgotten where more are registered. */
const MAX_JOBS = 100_000

/** A job, with what is so of it in this process alone. */
type Kept = {
  readonly record: JobRecord
  /** Monotonic ms, of `startedAt`: a jump of the wall clock moves no deadline. */
  readonly startedNow: number
  /** Monotonic ms at which it is forgotten. */
  readonly until: number
}

/** Holds them in memory, so that a look-up never waits for a store; what makes them durable is the control side's. */
export class JobBook {
  /** In the order in which they were put down, which is about that in which they are forgotten. */
  readonly #kept = new Map<string, Kept>()
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
    const now = this.#clock.now()
    return [...this.#kept.values()]
      .filter(({ until }) => until > now)
      .slice(-limit)
      .reverse()
      .map(({ record }) => record)
  }

  find(id: string): JobRecord | undefined {
    return this.#find(id)?.record
  }

  /** Monotonic ms of a job's deadline; undefined when it has none, or is not known. */
  deadlineOf(id: string): number | undefined {
    const kept = this.#find(id)
    return kept && deadlineIn(kept)
  }

  put(record: JobRecord): void {
    const now = this.#clock.now()
    for (const [id, { until }] of this.#kept) {
      if (until > now) break
      this.#kept.delete(id)
    }
    const known = this.#find(record.id)
    // Of a job from before this process, the wall clock alone tells when it began.
    const startedNow =
      known?.record.startedAt === record.startedAt ? known.startedNow : now - (this.#clock.wallNow() - record.startedAt)
    const until = Math.max(now + this.#ttlMs, deadlineIn({ record, startedNow }) ?? 0)
    this.#kept.delete(record.id)
    this.#kept.set(record.id, { record, startedNow, until })
    const [oldest] = this.#kept.keys()
    if (this.#kept.size > MAX_JOBS && oldest !== undefined) this.#kept.delete(oldest)
  }

  remove(id: string): void {
    this.#kept.delete(id)
  }

  #find(id: string): Kept | undefined {
    const kept = this.#kept.get(id)
    return kept !== undefined && kept.until > this.#clock.now() ? kept : undefined
  }
}

const deadlineIn = ({ record, startedNow }: Pick<Kept, 'record' | 'startedNow'>) =>
  record.deadlineAt === undefined ? undefined : startedNow + record.deadlineAt - record.startedAt
