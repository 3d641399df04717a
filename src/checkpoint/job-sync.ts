/** Keeps the registered jobs in memory the same as those in the store, without a request ever waiting for the store. */

import type { Clock, Timer } from '../clock.ts'
import type { JobBook, JobRecord } from '../job/book.ts'
import { JOB_ID } from './record.ts'
import { type CheckpointStore, type NewJob, type Registered, StoreDown, type StoredJob } from './store.ts'

/** Wait between two attempts to read all jobs while the store is down, in ms. */
const AGAIN_MS = 1_000
/** Time in ms for which an answer of the store about an id holds. Then another sidecar may have changed it. */
const HOLDS_MS = 5_000
/** Largest number of ids whose answers are remembered, and of look-ups under way. Beyond that, a later request asks. */
const MAX = { remembered: 10_000, underWay: 100 }

export class JobSync {
  readonly #store: CheckpointStore
  readonly #book: JobBook
  readonly #clock: Clock
  readonly #fault: (error: unknown) => void
  /** When the store was last asked about an id, in monotonic ms, the oldest first. */
  readonly #askedAt = new Map<string, number>()
  #underWay = 0
  #timer: Timer | undefined
  #isClosed = false

  /** @param fault called with errors that waiting does not resolve. */
  constructor(store: CheckpointStore, book: JobBook, clock: Clock, fault: (error: unknown) => void) {
    this.#store = store
    this.#book = book
    this.#clock = clock
    this.#fault = fault
  }

  /**
   * Takes the stored jobs into the book, and looks up each id that requests carry where others write to the store, too. What is
   * read from a file is there when this resolves; Redis is not waited for.
   */
  async start(): Promise<void> {
    if (this.#store.isShared) this.#book.onMet((id) => this.#met(id))
    const restored = this.#restore()
    if (!this.#store.isShared) await restored
  }

  /** @throws StoreDown */
  async register(job: NewJob, isChange: boolean): Promise<Registered | undefined> {
    const registered = await this.#store.registerJob(job, isChange)
    if (registered !== undefined) this.#book.put(registered.record, registered.ageMs)
    return registered
  }

  /** Saves a job that requests created, and takes over the start that another sidecar has stored. @throws StoreDown */
  async save(record: JobRecord): Promise<void> {
    const startedNow = this.#book.entry(record.id)?.startedNow ?? this.#clock.now()
    const stored = await this.#store.saveJob(record, this.#clock.now() - startedNow)
    const { startedAt, deadlineAt } = stored.record
    const known = this.#book.find(record.id)
    if (known === undefined || known.startedAt !== record.startedAt || known.startedAt === startedAt) return
    this.#book.put({ ...known, startedAt, deadlineAt }, stored.ageMs)
  }

  /** Reads a job from the store where others write to it. @throws StoreDown when neither the store nor the book has it. */
  async refresh(id: string): Promise<void> {
    if (!this.#store.isShared) return
    try {
      this.#take(id, await this.#store.findJob(id))
    } catch (error) {
      if (this.#book.find(id) === undefined) throw error
    }
  }

  /** @throws StoreDown */
  async remove(id: string): Promise<void> {
    await this.#store.removeJob(id)
    this.#book.remove(id)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    if (this.#timer !== undefined) this.#clock.cancel(this.#timer)
  }

  async #restore(): Promise<void> {
    try {
      for (const { record, ageMs } of await this.#store.jobs())
        if (this.#book.find(record.id) === undefined) this.#book.put(record, ageMs)
    } catch (error) {
      if (!(error instanceof StoreDown)) this.#fault(error)
      else if (!this.#isClosed) this.#timer = this.#clock.after(AGAIN_MS, () => void this.#restore())
    }
  }

  #met(id: string): void {
    const now = this.#clock.now()
    if (now - (this.#askedAt.get(id) ?? -HOLDS_MS) < HOLDS_MS) return
    if (this.#underWay >= MAX.underWay || !JOB_ID.test(id)) return
    this.#askedAt.delete(id)
    this.#askedAt.set(id, now)
    const [oldest] = this.#askedAt.keys()
    if (this.#askedAt.size > MAX.remembered && oldest !== undefined) this.#askedAt.delete(oldest)
    this.#underWay += 1
    void this.#lookUp(id)
  }

  async #lookUp(id: string): Promise<void> {
    try {
      this.#take(id, await this.#store.findJob(id))
    } catch (error) {
      if (!(error instanceof StoreDown)) this.#fault(error)
    } finally {
      this.#underWay -= 1
    }
  }

  /**
   * What this process has learned of a job that requests created is newer than what is stored, unless the job was begun anew
   * elsewhere.
   */
  #take(id: string, stored: StoredJob | undefined): void {
    const known = this.#book.find(id)
    if (known?.origin !== undefined && (stored === undefined || stored.record.startedAt <= known.startedAt)) return
    if (stored === undefined) this.#book.remove(id)
    else this.#book.put(stored.record, stored.ageMs)
  }
}
