/** The embedded store: SQLite in its own thread, which is restarted whenever it ends. */

import { join } from 'node:path'
import { type Clock, type Timer, within } from '../../clock.ts'
import { type StoreCall, SWEPT_AT_ONCE } from '../calls.ts'
import type { StoredCheckpoint } from '../record.ts'
import { SteadyTime } from '../steady-time.ts'
import { FILE_NAME } from './file.ts'
import { StoreThread } from './store-thread.ts'
import {
  type CheckpointStore,
  type HistoryRow,
  type Page,
  type ProgressPage,
  type Registered,
  StoreDown,
  type StoredJob,
  type StoreNews,
  type StoreSettings,
  type Written,
} from '../store.ts'

/** Time in ms after which a call is given up, so that a hanging disk does not hold a client. Its write may still happen. */
const PATIENCE_MS = 2_000
/** Interval of the sweeps for expired records, in ms. */
const SWEEP_EVERY_MS = 60_000
/** Waits between attempts to open the file, in ms: from `first`, doubling, up to `most`. */
const REOPEN_MS = { first: 1_000, most: 30_000 }

/**
 * Opens the embedded store. While its file cannot be opened, calls reject with StoreDown.
 * @param folder of its file, created when missing; undefined for a store in memory.
 * @throws Error naming the folder when another process has the file open.
 */
export async function openFileStore(
  folder: string | undefined,
  settings: StoreSettings,
  clock: Clock,
  tell: (news: StoreNews) => void = () => {},
): Promise<CheckpointStore> {
  const store = new FileStore(folder, settings, clock, tell)
  try {
    await within(clock, PATIENCE_MS, store.open())
    return store
  } catch (error) {
    await store.close()
    throw error
  }
}

class FileStore implements CheckpointStore {
  readonly isShared = false
  readonly #path: string
  readonly #name: string
  readonly #settings: StoreSettings
  readonly #clock: Clock
  readonly #tell: (news: StoreNews) => void
  readonly #time: SteadyTime
  #thread: StoreThread | undefined
  #down = new StoreDown('the file is being opened')
  #failures = 0
  #reopen: Timer | undefined
  #sweep: Timer | undefined
  #isClosed = false

  constructor(folder: string | undefined, settings: StoreSettings, clock: Clock, tell: (news: StoreNews) => void) {
    this.#path = folder === undefined ? ':memory:' : join(folder, FILE_NAME)
    this.#name = folder === undefined ? 'memory:' : `file:${folder}`
    this.#settings = settings
    this.#clock = clock
    this.#tell = tell
    this.#time = new SteadyTime(clock, (byMs) => tell({ kind: 'clock_jump', byMs }))
    this.#scheduleSweep()
  }

  save: CheckpointStore['save'] = (job, checkpoint, precondition) =>
    this.#ask<Written>({ kind: 'save', job, checkpoint, precondition })
  append: CheckpointStore['append'] = (job, append, precondition) =>
    this.#ask<Written>({ kind: 'append', job, append, precondition })
  load: CheckpointStore['load'] = (job, stage) => this.#ask<StoredCheckpoint | undefined>({ kind: 'load', job, stage })
  stages: CheckpointStore['stages'] = (job) => this.#ask<string[]>({ kind: 'stages', job })
  clear: CheckpointStore['clear'] = (job, precondition) => this.#ask<boolean>({ kind: 'clear', job, precondition })
  list: CheckpointStore['list'] = (stage, limit, after, withItems = false) =>
    this.#ask<Page>({ kind: 'list', stage, limit, after, withItems })
  progress: CheckpointStore['progress'] = (limit, after) => this.#ask<ProgressPage>({ kind: 'progress', limit, after })
  registerJob: CheckpointStore['registerJob'] = (job, isChange = false) =>
    this.#ask<Registered | undefined>({ kind: 'registerJob', job, isChange })
  saveJob: CheckpointStore['saveJob'] = (record, ageMs) => this.#ask<StoredJob>({ kind: 'saveJob', record, ageMs })
  findJob: CheckpointStore['findJob'] = (id) => this.#ask<StoredJob | undefined>({ kind: 'findJob', id })
  removeJob: CheckpointStore['removeJob'] = (id) => this.#ask<void>({ kind: 'removeJob', id })
  jobs: CheckpointStore['jobs'] = () => this.#ask<StoredJob[]>({ kind: 'jobs' })

  risk = () => undefined

  saveHistory: CheckpointStore['saveHistory'] = (rows) => this.#ask<void>({ kind: 'saveHistory', rows })
  history: CheckpointStore['history'] = (of, from, to) => this.#ask<HistoryRow[]>({ kind: 'history', of, from, to })

  probe: CheckpointStore['probe'] = (value) => this.#ask<boolean>({ kind: 'probe', value })

  close: CheckpointStore['close'] = async () => {
    this.#isClosed = true
    this.#down = new StoreDown('the store is closed')
    for (const timer of [this.#sweep, this.#reopen]) if (timer !== undefined) this.#clock.cancel(timer)
    const thread = this.#thread
    this.#thread = undefined
    await thread?.close()
  }

  /** Tries once, then in the background. @throws Error when another process has the file open. */
  async open(): Promise<void> {
    const thread: StoreThread = new StoreThread(this.#path, this.#settings, this.#clock, () => this.#time.now(), {
      setAside: (path, why) => this.#tell({ kind: 'set_aside', path, why }),
      died: (error) => this.#died(thread, error),
    })
    try {
      await thread.opened
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      const isLocked = /database is locked/.test(why)
      const message = `checkpoints.store ${this.#name}: ${isLocked ? 'another process has it open' : why}`
      this.#openLater(new StoreDown(message, { cause: error }))
      if (isLocked) throw new Error(message, { cause: error })
      return
    }
    if (this.#isClosed) return thread.close()
    this.#thread = thread
    this.#failures = 0
  }

  #openLater(down: StoreDown): void {
    if (this.#isClosed) return
    this.#down = down
    const delayMs = Math.min(REOPEN_MS.first * 2 ** this.#failures, REOPEN_MS.most)
    this.#failures += 1
    this.#reopen = this.#clock.after(delayMs, () => {
      this.open().catch((error: Error) => {
        this.#down = new StoreDown(error.message, { cause: error })
      })
    })
  }

  /** The next thread waits until the operating system has released the file. */
  #died(thread: StoreThread, error: Error): void {
    if (this.#thread !== thread) return
    this.#thread = undefined
    this.#down = new StoreDown(error.message, { cause: error })
    this.#tell({ kind: 'fault', error })
    void thread.exited.then(() => this.#openLater(this.#down))
  }

  /**
   * Starts a sweep. Nobody waits for it: the next one makes up for a failed one. A sweep that left something starts the next at
   * once.
   */
  #scheduleSweep(inMs = SWEEP_EVERY_MS): void {
    if (this.#isClosed) return
    this.#sweep = this.#clock.after(inMs, () => {
      this.#sweepOnce().then(
        (swept) => this.#scheduleSweep(swept === SWEPT_AT_ONCE ? 0 : SWEEP_EVERY_MS),
        (error) => {
          if (!(error instanceof StoreDown)) this.#tell({ kind: 'fault', error })
          this.#scheduleSweep()
        },
      )
    })
  }

  async #sweepOnce(): Promise<number> {
    const byMs = this.#time.settle()
    if (byMs !== 0) await this.#ask<void>({ kind: 'shift', byMs })
    return this.#ask<number>({ kind: 'sweep' })
  }

  /** @template R result of this kind of call. */
  #ask<R>(call: StoreCall): Promise<R> {
    const thread = this.#thread
    if (thread === undefined) return Promise.reject(this.#down)
    return new Promise((resolve, reject) => {
      let isGivenUp = false
      const timer = this.#clock.after(PATIENCE_MS, () => {
        isGivenUp = true
        reject(new StoreDown('the disk does not answer'))
      })
      const settled =
        <A>(act: (outcome: A) => void) =>
        (outcome: A) => {
          this.#clock.cancel(timer)
          act(outcome)
        }
      thread.ask({
        call,
        resolve: settled((result) => resolve(result as R)),
        reject: settled(reject),
        isGivenUp: () => isGivenUp,
        isAwaited: call.kind !== 'sweep' && call.kind !== 'shift',
      })
    })
  }
}
