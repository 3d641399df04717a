import { type Clock, type Timer, within } from '../../clock.ts'
import type { Emit } from '../../events.ts'
import { type BackoffSettings, waitMs } from '../../policy/retry/backoff.ts'

/** Sends a batch. @returns the number of refused spans. @throws CollectorError */
export type Post = (spans: readonly Buffer[]) => Promise<{ readonly rejected: number }>

/** Why a batch was not delivered. Holds no text of the collector or the configuration. */
export class CollectorError extends Error {
  /** Whether to try again; wait in ms that the collector asked for, 0 without one. */
  readonly retry: { readonly afterMs: number } | undefined

  constructor(message: string, retry: { readonly afterMs: number } | undefined) {
    super(message)
    this.name = 'CollectorError'
    this.retry = retry
  }
}

export type ExporterSettings = {
  /** Largest number of waiting spans. More are dropped. */
  readonly queue: number
  /** Longest time in ms that a span waits for a batch. */
  readonly intervalMs: number
}

/** Largest number of spans in one call to the collector. */
const MAX_BATCH_SPANS = 512
/** Calls for one batch before it is given up. */
const MAX_TRIES = 5
/** Longest wait that a collector may ask for, in ms. Otherwise the batch is dropped. */
const MAX_WAIT_MS = 60_000
const BACKOFF: BackoffSettings = { initialMs: 1_000, factor: 2, maxMs: 30_000, jitter: 0.2 }

/**
 * Sends spans to the collector in batches, one at a time, with retries. Callers never wait: spans without room are dropped and
 * counted.
 */
export class Exporter {
  readonly #settings: ExporterSettings
  readonly #post: Post
  readonly #clock: Clock
  readonly #random: () => number
  readonly #emit: Emit
  #waiting: Buffer[] = []
  #timer: Timer | undefined
  #sending: Promise<void> | undefined
  /** Ends a wait between two tries. */
  #endWait: () => void = () => {}
  #isClosing = false

  constructor(settings: ExporterSettings, post: Post, clock: Clock, random: () => number, emit: Emit) {
    this.#settings = settings
    this.#post = post
    this.#clock = clock
    this.#random = random
    this.#emit = emit
  }

  /** @param span encoded. */
  take(span: Buffer): void {
    if (this.#waiting.length >= this.#settings.queue) return this.#count('dropped', 1)
    this.#waiting.push(span)
    if (this.#sending !== undefined) return
    if (this.#waiting.length >= MAX_BATCH_SPANS) this.#send()
    else this.#timer ??= this.#clock.after(this.#settings.intervalMs, () => this.#send())
  }

  /** Sends the waiting spans once, for a bounded time. */
  async finish(withinMs: number): Promise<void> {
    this.#isClosing = true
    this.#endWait()
    await within(this.#clock, withinMs, this.#sendAll())
  }

  /** Drops the waiting spans. */
  close(): void {
    this.#isClosing = true
    this.#endWait()
    if (this.#timer !== undefined) this.#clock.cancel(this.#timer)
    this.#count('failed', this.#waiting.splice(0).length)
  }

  async #sendAll(): Promise<void> {
    while (this.#sending !== undefined || this.#waiting.length > 0) {
      if (this.#sending === undefined) this.#send()
      await this.#sending
    }
  }

  #send(): void {
    if (this.#timer !== undefined) this.#clock.cancel(this.#timer)
    this.#timer = undefined
    this.#sending = this.#deliver(this.#waiting.splice(0, MAX_BATCH_SPANS)).then(() => {
      this.#sending = undefined
      if (this.#waiting.length >= MAX_BATCH_SPANS) this.#send()
      else if (this.#waiting.length > 0) {
        this.#timer = this.#clock.after(this.#settings.intervalMs, () => this.#send())
      }
    })
  }

  /** Never rejects: the outcome of the batch is emitted. */
  async #deliver(batch: readonly Buffer[]): Promise<void> {
    for (let k = 1; ; k += 1) {
      try {
        const { rejected: count } = await this.#post(batch)
        const rejected = Math.min(count, batch.length)
        this.#emit({ kind: 'span_export', error: undefined })
        this.#count('rejected', rejected)
        return this.#count('exported', batch.length - rejected)
      } catch (error) {
        const known = error instanceof CollectorError ? error : new CollectorError('fault in the exporter', undefined)
        this.#emit({ kind: 'span_export', error: known })
        const afterMs = known.retry?.afterMs ?? Number.POSITIVE_INFINITY
        if (this.#isClosing || k === MAX_TRIES || afterMs > MAX_WAIT_MS) return this.#count('failed', batch.length)
        await this.#pause(Math.max(afterMs, waitMs(k, BACKOFF, this.#random)))
      }
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#clock.after(ms, resolve)
      this.#endWait = () => {
        this.#clock.cancel(timer)
        resolve()
      }
    })
  }

  #count(outcome: 'exported' | 'dropped' | 'failed' | 'rejected', count: number): void {
    if (count > 0) this.#emit({ kind: 'spans', outcome, count })
  }
}
