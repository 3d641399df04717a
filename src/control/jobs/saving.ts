import { StoreDown } from '../../checkpoint/store.ts'
import type { Clock, Timer } from '../../clock.ts'
import type { JobRecord } from '../../job/book.ts'

/** Wait between two attempts while the store is down, in ms. */
const AGAIN_MS = 1_000

/** Largest number of jobs that wait for the store. The oldest is given up first: it is known here, and to no other process. */
const MAX_WAITING = 10_000

/** Saves jobs in the background, each as it is by then. Nothing waits for it, and a store that is down delays it. */
export class JobSaving {
  readonly #save: (record: JobRecord) => Promise<void>
  readonly #clock: Clock
  readonly #fault: (error: unknown) => void
  readonly #waiting = new Map<string, JobRecord>()
  /** The saving under way; undefined while nothing waits, or the store is down. */
  #underWay: Promise<void> | undefined
  #timer: Timer | undefined
  #isClosed = false

  /** @param fault called with errors that waiting does not resolve. */
  constructor(save: (record: JobRecord) => Promise<void>, clock: Clock, fault: (error: unknown) => void) {
    this.#save = save
    this.#clock = clock
    this.#fault = fault
  }

  save(record: JobRecord): void {
    this.#waiting.delete(record.id)
    this.#waiting.set(record.id, record)
    const [oldest] = this.#waiting.keys()
    if (this.#waiting.size > MAX_WAITING && oldest !== undefined) this.#waiting.delete(oldest)
    if (this.#timer === undefined) this.#begin()
  }

  /** Resolves once all jobs that wait are saved, or the store is found down. */
  async close(): Promise<void> {
    this.#isClosed = true
    if (this.#timer !== undefined) this.#clock.cancel(this.#timer)
    await this.#underWay
  }

  #begin(): void {
    this.#underWay ??= this.#saveAll()
  }

  /** Call with a job that waits. */
  async #saveAll(): Promise<void> {
    for (const record of this.#waiting.values()) {
      try {
        await this.#save(record)
      } catch (error) {
        if (error instanceof StoreDown) {
          this.#tryAgain()
          break
        }
        this.#fault(error)
      }
      if (this.#waiting.get(record.id) === record) this.#waiting.delete(record.id)
    }
    this.#underWay = undefined
  }

  #tryAgain(): void {
    if (this.#isClosed) return
    this.#timer = this.#clock.after(AGAIN_MS, () => {
      this.#timer = undefined
      this.#begin()
    })
  }
}
