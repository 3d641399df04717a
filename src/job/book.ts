/** The registered jobs: the control plane writes, the data plane reads. */

import type { Clock } from '../clock.ts'
import { freshLife, type JobEnd, type JobLife, type JobOrigin } from './life.ts'
import type { Inputs } from './timeouts.ts'

export type JobRecord = {
  readonly id: string
  readonly inputs: Inputs
  /** Wall-clock ms since the Unix epoch. */
  readonly startedAt: number
  /** Wall-clock ms; undefined when no timeout named `total` is configured. */
  readonly deadlineAt: number | undefined
  /** Of a job that an upstream does: `id` is its key. undefined for a job that was registered by the control API. */
  readonly origin?: JobOrigin | undefined
  /** undefined while it runs. */
  readonly end?: JobEnd | undefined
}

/** Wall-clock ms at which a job registered now is forgotten: not before its deadline. */
export const keptUntil = ({ deadlineAt }: JobRecord, now: number, ttlMs: number) =>
  Math.max(now + ttlMs, deadlineAt ?? 0)

/** Largest number of jobs. The oldest is forgotten first. */
const MAX_JOBS = 100_000

/** A job with what only this process knows. */
export type KeptJob = {
  readonly record: JobRecord
  /** Monotonic ms of `startedAt`: a jump of the wall clock moves no deadline. */
  readonly startedNow: number
  /** Monotonic ms at which it is forgotten. */
  readonly until: number
  /** undefined for a job without an origin. */
  readonly life: JobLife | undefined
}

/** Registered jobs in memory, so that a look-up never waits for a store. The control plane stores them. */
export class JobBook {
  /** In order of registration, which is about the order in which they are forgotten. */
  readonly #kept = new Map<string, KeptJob>()
  readonly #clock: Clock
  readonly #ttlMs: number
  #met: ((id: string) => void) | undefined
  /** Called with each job that is put in, wherever it comes from. */
  onPut: (kept: KeptJob) => void = () => {}

  constructor(ttlMs: number, clock: Clock) {
    this.#ttlMs = ttlMs
    this.#clock = clock
  }

  get size(): number {
    return this.#kept.size
  }

  /** Jobs that are not forgotten, newest first. */
  newest(limit: number): KeptJob[] {
    const now = this.#clock.now()
    return [...this.#kept.values()]
      .filter(({ until }) => until > now)
      .slice(-limit)
      .reverse()
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
    return this.entry(id)?.record
  }

  entry(id: string): KeptJob | undefined {
    const kept = this.#kept.get(id)
    return kept !== undefined && kept.until > this.#clock.now() ? kept : undefined
  }

  /**
   * Monotonic ms of a job's deadline; undefined without one, or for an unknown job. A completed job has none: its result may be
   * fetched at any time.
   */
  deadlineOf(id: string): number | undefined {
    const kept = this.entry(id)
    return kept === undefined || kept.record.end?.outcome === 'completed' ? undefined : deadlineIn(kept)
  }

  /** @param ageMs ms since its start, by the clock that named the start. */
  put(record: JobRecord, ageMs: number): void {
    const now = this.#clock.now()
    for (const [id, { until }] of this.#kept) {
      if (until > now) break
      this.#kept.delete(id)
    }
    const known = this.entry(record.id)
    const startedNow = known?.record.startedAt === record.startedAt ? known.startedNow : now - ageMs
    const until = Math.max(now + this.#ttlMs, deadlineIn({ record, startedNow }) ?? 0)
    const life = record.origin && (known?.life ?? freshLife(now, this.#clock.wallNow(), record.end !== undefined))
    const kept = { record, startedNow, until, life }
    this.#kept.delete(record.id)
    this.#kept.set(record.id, kept)
    const [oldest] = this.#kept.keys()
    if (this.#kept.size > MAX_JOBS && oldest !== undefined) this.#kept.delete(oldest)
    this.onPut(kept)
  }

  remove(id: string): void {
    this.#kept.delete(id)
  }
}

/** Monotonic ms; undefined without one. */
export const deadlineIn = ({ record, startedNow }: Pick<KeptJob, 'record' | 'startedNow'>) =>
  record.deadlineAt === undefined ? undefined : startedNow + record.deadlineAt - record.startedAt
