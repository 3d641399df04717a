import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { Clock, Timer } from '../clock.ts'
import type { JobRecord } from '../job/book.ts'
import { type Batch, type BatchResult, type StoreCall, SWEPT_AT_ONCE } from './calls.ts'
import type { StoredCheckpoint } from './record.ts'
import { type CheckpointStore, type Page, StoreDown, type StoreSettings, type Written } from './store.ts'

/** A call is given up after this: a disk that stands still must not hold a client. What it wrote may yet be there. */
const PATIENCE_MS = 2_000
/** Between two looks for what has expired. */
const SWEEP_EVERY_MS = 60_000

type Pending = {
  readonly call: StoreCall
  readonly resolve: (result: unknown) => void
  readonly reject: (error: StoreDown) => void
}

/**
 * Opens the embedded store: SQLite in a thread of its own.
 * @param folder where its file is, made when missing; undefined for one that lives in memory alone.
 * @throws Error naming the folder when it cannot be written, or another process has it open.
 */
export async function openFileStore(
  folder: string | undefined,
  settings: StoreSettings,
  clock: Clock,
): Promise<CheckpointStore> {
  try {
    if (folder !== undefined) mkdirSync(folder, { recursive: true, mode: 0o700 })
    const path = folder === undefined ? ':memory:' : join(folder, 'checkpoints.sqlite')
    const thread = new DatabaseThread(path, settings, clock)
    await thread.opened
    return thread.store()
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    const isLocked = /database is locked/.test(why)
    throw new Error(`checkpoints.store file:${folder}: ${isLocked ? 'another process has it open' : why}`, {
      cause: error,
    })
  }
}

class DatabaseThread {
  readonly opened: Promise<void>
  readonly #clock: Clock
  readonly #worker: Worker
  readonly #closed: Promise<void>
  #waiting: Pending[] = []
  #underWay: readonly Pending[] = []
  #sweep: Timer | undefined
  #down: StoreDown | undefined

  constructor(path: string, settings: StoreSettings, clock: Clock) {
    this.#clock = clock
    this.#worker = new Worker(new URL('./database-thread.ts', import.meta.url), { workerData: { path, settings } })
    this.opened = new Promise((resolve, reject) => {
      this.#worker.once('message', () => resolve())
      this.#worker.once('error', reject)
    })
    this.#closed = new Promise((resolve) => this.#worker.once('exit', () => resolve()))
    void this.opened.then(
      () => {
        this.#worker.on('message', (result: BatchResult) => this.#answered(result))
        this.#worker.on('error', (error: Error) => this.#fail(new StoreDown(error.message, { cause: error })))
        this.#worker.unref()
        this.#scheduleSweep()
      },
      () => {},
    )
  }

  store(): CheckpointStore {
    return {
      save: (job, checkpoint, precondition) => this.#ask<Written>({ kind: 'save', job, checkpoint, precondition }),
      append: (job, append, precondition) => this.#ask<Written>({ kind: 'append', job, append, precondition }),
      load: (job, stage) => this.#ask<StoredCheckpoint | undefined>({ kind: 'load', job, stage }),
      stages: (job) => this.#ask<string[]>({ kind: 'stages', job }),
      clear: (job, precondition) => this.#ask<boolean>({ kind: 'clear', job, precondition }),
      list: (stage, limit, after) => this.#ask<Page>({ kind: 'list', stage, limit, after }),
      saveJob: (record) => this.#ask<void>({ kind: 'saveJob', record }),
      removeJob: (id) => this.#ask<void>({ kind: 'removeJob', id }),
      jobs: () => this.#ask<JobRecord[]>({ kind: 'jobs' }),
      close: () => this.#close(),
    }
  }

  /** @template R what `execute` returns for this kind of call. */
  #ask<R>(call: StoreCall): Promise<R> {
    if (this.#down !== undefined) return Promise.reject(this.#down)
    return new Promise((resolve, reject) => {
      const timer = this.#clock.after(PATIENCE_MS, () => reject(new StoreDown('the disk does not answer')))
      const settled =
        <A extends unknown[]>(act: (...args: A) => void) =>
        (...args: A) => {
          this.#clock.cancel(timer)
          act(...args)
        }
      this.#waiting.push({ call, resolve: settled((result) => resolve(result as R)), reject: settled(reject) })
      if (this.#underWay.length === 0) this.#post()
    })
  }

  /** Everything that came while the batch before was written goes as one. */
  #post(): void {
    this.#underWay = this.#waiting
    this.#waiting = []
    if (this.#underWay.length === 0) return
    const batch: Batch = { calls: this.#underWay.map(({ call }) => call), now: this.#clock.wallNow() }
    this.#worker.ref()
    this.#worker.postMessage(batch)
  }

  #answered(result: BatchResult): void {
    const pending = this.#underWay
    this.#underWay = []
    this.#worker.unref()
    if ('failure' in result) for (const { reject } of pending) reject(new StoreDown(result.failure))
    else for (const [i, { resolve }] of pending.entries()) resolve(result.results[i])
    this.#post()
  }

  #fail(error: StoreDown): void {
    this.#down = error
    for (const { reject } of [...this.#underWay, ...this.#waiting]) reject(error)
    this.#underWay = []
    this.#waiting = []
  }

  /** Nobody waits for a sweep: one that failed is made up for by the next. One that left something goes on at once. */
  #scheduleSweep(inMs = SWEEP_EVERY_MS): void {
    this.#sweep = this.#clock.after(inMs, () => {
      this.#ask<number>({ kind: 'sweep' }).then(
        (swept) => this.#scheduleSweep(swept === SWEPT_AT_ONCE ? 0 : SWEEP_EVERY_MS),
        () => this.#scheduleSweep(),
      )
    })
  }

  async #close(): Promise<void> {
    if (this.#sweep !== undefined) this.#clock.cancel(this.#sweep)
    this.#down ??= new StoreDown('the store is closed')
    this.#worker.ref()
    this.#worker.postMessage('close')
    await this.#closed
  }
}
