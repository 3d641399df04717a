/** The jobs that are registered now, for both planes: the control side writes, the data side looks up. */

import type { Inputs } from './timeouts.ts'

export type JobRecord = {
  readonly id: string
  readonly inputs: Inputs
  /** Wall-clock ms since the Unix epoch. */
  readonly startedAt: number
  /** Wall-clock ms; undefined when no timeout named `total` is configured. */
  readonly deadlineAt: number | undefined
}

/** Holds them in memory, so that a look-up never waits for a store; what makes them durable is the control side's. */
export class JobBook {
  readonly #records = new Map<string, JobRecord>()

  get size(): number {
    return this.#records.size
  }

  find(id: string): JobRecord | undefined {
    return this.#records.get(id)
  }

  put(record: JobRecord): void {
    this.#records.set(record.id, record)
  }

  remove(id: string): void {
    this.#records.delete(id)
  }
}
