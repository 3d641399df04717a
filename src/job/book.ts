/** The registered jobs: the control plane writes, the data plane reads. */

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

/** Wall-clock ms at which a job registered now is forgotten: not before its deadline. */
export const keptUntil = ({ deadlineAt }: JobRecord, now: number, ttlMs: number) =>
  Math.max(now + ttlMs, deadlineAt ?? 0)

/** Largest number of jobs. The oldest is forgotten first. */
const MAX_JOBS = 100_000

/** A job with the times that only this process knows. */
type Kept = {
  readonly record: JobRecord
  /** Monotonic ms of `startedAt`: a jump of the wall clock moves no deadline. */
  readonly startedNow: number
  /** Monotonic ms at which it is forgotten. */
  readonly until: number
}

/** Registered jobs in memory, so that a look-up never waits for a store. The control plane stores them. */
export class JobBook {
  /** In order of registration, which is about the order in which they are forgotten. */
  readonly #kept = new Map<string, Kept>()
  readonly #clock: Clock
  readonly #ttlMs: number
  #met: ((id: string) => void) | undefined

  constructor(ttlMs: number, clock: Clock) {
    this.#ttlMs = ttlMs
    this.#clock = clock
  }

  get size(): number {
    return this.#kept.size
  }

  /** Jobs that are not forgotten, newest first. */
  newest(limit: number): JobRecord[] {
    const now = this.#clock.now()
    return [...this.#kept.values()]
      .filter(({ until }) => until > now)
      .slice(-limit)
      .reverse()
      .map(({ record }) => record)
  }

  /** @param met called with each id that a request carries, known or not. It must return at once. */
  onMet(met: (id: string) => void): void {
    this.#met = met
  }

  /** Finds the job that a request names. One that is registered elsewhere is unknown at first, and known to later requests. */
  meet(id: string): JobRecord | undefined {
    this.#met?.(id)
    return this.find(id)
  }

  find(id: string): JobRecord | undefined {
    return this.#find(id)?.record
  }

  /** Monotonic ms of a job's deadline; undefined without one, or for an unknown job. */
  deadlineOf(id: string): number | undefined {
    const kept = this.#find(id)
    return kept && deadlineIn(kept)
  }

  /** @param ageMs ms since its start, by the clock that named the start. */
  put(record: JobRecord, ageMs: number): void {
    const now = this.#clock.now()
    for (const [id, { until }] of this.#kept) {
      if (until > now) break
      this.#kept.delete(id)
    }
    const known = this.#find(record.id)
    const startedNow = known?.record.startedAt === record.startedAt ? known.startedNow : now - ageMs
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
