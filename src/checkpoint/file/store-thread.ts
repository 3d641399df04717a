/** One worker thread with an open database, from its start to its end. */

import { Worker } from 'node:worker_threads'
import type { Clock, Timer } from '../../clock.ts'
import type { FromThread, Outcome, StoreCall, ToThread } from '../calls.ts'
import { StoreDown, type StoreSettings } from '../store.ts'

/** Silence in ms after which a thread with waiting callers is ended: its disk hangs, or it does. */
const MAX_SILENCE_MS = 10_000
/** Extra time in ms: after a pause of the process its answers have arrived and are read only after the due timers. */
const LAST_CHANCE_MS = 1_000
/** Largest number of calls that wait during a batch. Further calls are refused. */
const MAX_WAITING = 1_000

export type Pending = {
  readonly call: StoreCall
  readonly resolve: (result: unknown) => void
  /** Rejects with StoreDown when the store cannot serve the call; with another Error when the call is at fault. */
  readonly reject: (error: Error) => void
  /** The caller no longer waits: the call need not be done. */
  readonly isGivenUp: () => boolean
  /** Whether a caller waits for it; false for the sweep. */
  readonly isAwaited: boolean
}

export type ThreadNews = {
  readonly setAside: (path: string, why: string) => void
  /** Called when the thread has ended or was silent: it serves no more calls. Not called after `close`. */
  readonly died: (error: Error) => void
}

export class StoreThread {
  /** Rejects with the reason why the database could not be opened. */
  readonly opened: Promise<void>
  /** Resolves when the thread is gone and has released its file. */
  readonly exited: Promise<void>
  readonly #clock: Clock
  readonly #now: () => number
  readonly #news: ThreadNews
  readonly #worker: Worker
  #waiting: Pending[] = []
  #underWay: readonly Pending[] = []
  /** Number of calls of the batch that have their outcome. */
  #settled = 0
  /** Whether the thread sends the outcomes one per message. */
  #isTakenSingly = false
  /** Number of waiting calls that are posted one per message. */
  #oneByOne = 0
  #silence: Timer | undefined
  #end: StoreDown | undefined

  /** @param now ms of the clock by which records expire. */
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
      else this.#receive(message)
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
    // A waiting caller keeps the process alive; an idle thread does not.
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

  /** Posts everything that came during the previous batch as one batch. */
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

  #receive(message: Exclude<FromThread, { kind: 'open' }>): void {
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

  /** A message of the thread could not be read: asks for the outcomes one by one. The one that cannot be sent is missing. */
  #cannotRead(): void {
    if (this.#isTakenSingly) return this.#settle({ fault: 'the answer cannot cross from the thread of the store' })
    this.#isTakenSingly = true
    this.#worker.postMessage({ kind: 'again' } satisfies ToThread)
  }

  #settle(outcome: Outcome): void {
    const pending = this.#underWay[this.#settled]
    this.#settled += 1
    if ('fault' in outcome) pending?.reject(new Error(outcome.fault))
    else if ('down' in outcome) pending?.reject(new StoreDown(outcome.down))
    else pending?.resolve(outcome.result)
    if (this.#settled < this.#underWay.length) return
    this.#over()
    this.#post()
  }

  /** A batch could not be sent, and nothing of it was done: each of several calls is tried alone; a single one is at fault. */
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
