/** One worker thread that has a database open, from its start to its end. */

import { Worker } from 'node:worker_threads'
import type { Clock, Timer } from '../../clock.ts'
import type { FromThread, Outcome, StoreCall, ToThread } from '../calls.ts'
import { StoreDown, type StoreSettings } from '../store.ts'

/** A thread that answers nothing for so long while somebody waits is ended, in ms: its disk stands still, or it never will. */
const MAX_SILENCE_MS = 10_000
/** After a pause of the whole process its answers have come, but are read only after the timers that were due. */
const LAST_CHANCE_MS = 1_000
/** Calls that wait while a batch is under way; further ones are refused. */
const MAX_WAITING = 1_000

export type Pending = {
  readonly call: StoreCall
  readonly resolve: (result: unknown) => void
  /** With StoreDown when the store could not serve it; with another Error when the call itself is at fault. */
  readonly reject: (error: Error) => void
  /** Nobody waits for it any longer: it need not be done. */
  readonly isGivenUp: () => boolean
  /** Whether a caller waits for it, and not the sweep alone. */
  readonly isAwaited: boolean
}

export type ThreadNews = {
  readonly setAside: (path: string, why: string) => void
  /** The thread has ended by itself, or was silent: it serves no more calls. Not called for one that was closed. */
  readonly died: (error: Error) => void
}

export class StoreThread {
  /** Rejects with what kept the database from being opened. */
  readonly opened: Promise<void>
  /** Once the operating system's thread is gone, and the file with it let go. */
  readonly exited: Promise<void>
  readonly #clock: Clock
  readonly #now: () => number
  readonly #news: ThreadNews
  readonly #worker: Worker
  #waiting: Pending[] = []
  #underWay: readonly Pending[] = []
  /** How many of those under way have their outcome. */
  #settled = 0
  /** Whether the outcomes of those under way come one in a message. */
  #isTakenSingly = false
  /** So many of those that wait are posted in a message of their own. */
  #oneByOne = 0
  #silence: Timer | undefined
  #end: StoreDown | undefined

  /** @param now in ms, of the clock by which records expire. */
  constructor(path: string, settings: StoreSettings, clock: Clock, now: () => number, news: ThreadNews) {
    this.#clock = clock
    this.#now = now
    this.#news = news
    this.#worker = new Worker(new URL('./database-thread.ts', import.meta.url), { workerData: { path, settings } })
    const opening = Promise.withResolvers<void>()
    this.opened = opening.promise
    this.exited = new Promise((resolve) => this.#worker.once('exit', () => resolve()))
    this.#worker.on('message', (message: FromThread) => {
      if (message.kind === 'open') opening.resolve()
      else this.#told(message)
    })
    this.#worker.on('messageerror', () => this.#cannotRead())
    this.#worker.on('error', (error: Error) => {
      opening.reject(error)
      this.#die(error)
    })
    this.#worker.on('exit', () => {
      opening.reject(new Error('the thread of the store ended'))
      this.#die(new Error('the thread of the store ended'))
    })
    // Whoever waits for it holds the process; between two batches nobody does.
    this.opened.then(
      () => this.#worker.unref(),
      () => {},
    )
  }

  ask(pending: Pending): void {
    if (this.#end !== undefined) return pending.reject(this.#end)
    if (this.#waiting.length >= MAX_WAITING) return pending.reject(new StoreDown('too many calls wait for the disk'))
    this.#waiting.push(pending)
    if (pending.isAwaited) this.#listen()
    this.#post()
  }

  async close(): Promise<void> {
    this.#finish(new StoreDown('the store is closed'))
    this.#worker.ref()
    this.#worker.postMessage({ kind: 'close' } satisfies ToThread)
    await this.exited
  }

  /** Everything that came while the batch before was written goes as one. */
  #post(): void {
    while (this.#underWay.length === 0 && this.#waiting.length > 0) {
      const next = this.#waiting.splice(0, this.#oneByOne > 0 ? 1 : this.#waiting.length)
      this.#oneByOne = Math.max(0, this.#oneByOne - 1)
      this.#underWay = next.filter((pending) => !pending.isGivenUp())
      if (this.#underWay.length === 0) continue
      this.#settled = 0
      this.#isTakenSingly = false
      const batch: ToThread = { kind: 'batch', calls: this.#underWay.map(({ call }) => call), now: this.#now() }
      try {
        this.#worker.postMessage(batch)
        this.#worker.ref()
        if (this.#underWay.some(({ isAwaited }) => isAwaited)) this.#listen()
      } catch (error) {
        this.#unsent(error)
      }
    }
  }

  #told(message: Exclude<FromThread, { kind: 'open' }>): void {
    switch (message.kind) {
      case 'set_aside':
        return this.#news.setAside(message.path, message.why)
      case 'unread':
        this.#unsent(undefined)
        return this.#post()
      case 'outcomes':
        for (const outcome of message.outcomes) this.#settle(outcome)
        return
      case 'failed':
        for (const { reject } of this.#over()) reject(new StoreDown(message.why))
        return this.#post()
      default:
        return message satisfies never
    }
  }

  /** A message of the thread could not be read: it sends each outcome by itself, and the one that cannot cross is missing. */
  #cannotRead(): void {
    if (this.#isTakenSingly) return this.#settle({ fault: 'the answer cannot cross from the thread of the store' })
    this.#isTakenSingly = true
    this.#worker.postMessage({ kind: 'again' } satisfies ToThread)
  }

  #settle(outcome: Outcome): void {
    const pending = this.#underWay[this.#settled]
    this.#settled += 1
    if ('fault' in outcome) pending?.reject(new Error(outcome.fault))
    else pending?.resolve(outcome.result)
    if (this.#settled < this.#underWay.length) return
    this.#over()
    this.#post()
  }

  /** A batch did not cross and nothing of it is done: of several calls each is tried by itself, a single one is at fault. */
  #unsent(cause: unknown): void {
    const [first, ...others] = this.#over()
    if (first === undefined) return
    if (others.length === 0)
      return first.reject(new Error('the call cannot cross to the thread of the store', { cause }))
    this.#waiting.unshift(first, ...others)
    this.#oneByOne = others.length + 1
  }

  #over(): readonly Pending[] {
    const pending = this.#underWay
    this.#underWay = []
    if (this.#silence !== undefined) this.#clock.cancel(this.#silence)
    this.#silence = undefined
    this.#worker.unref()
    return pending
  }

  #listen(): void {
    this.#silence ??= this.#clock.after(MAX_SILENCE_MS, () => {
      this.#silence = this.#clock.after(LAST_CHANCE_MS, () => {
        void this.#worker.terminate()
        this.#die(new Error(`the thread of the store did not answer for ${MAX_SILENCE_MS / 1000} s`))
      })
    })
  }

  #die(error: Error): void {
    if (this.#end !== undefined) return
    this.#finish(new StoreDown(error.message, { cause: error }))
    this.#news.died(error)
  }

  #finish(end: StoreDown): void {
    this.#end = end
    const unsettled = this.#over().slice(this.#settled)
    for (const { reject } of [...unsettled, ...this.#waiting.splice(0)]) reject(end)
  }
}
