import { Worker } from 'node:worker_threads'
import type { Clock, Timer } from '../clock.ts'
import type { Env } from '../config/file/interpolate.ts'
import { frozen } from '../config/load.ts'
import type { ConfigFault } from '../config/file/faults.ts'
import { type Origins, originsOf } from '../config/file/origins.ts'
import type { Config } from '../config/schema.ts'
import type { ConfigWarning } from '../config/warnings.ts'

/**
 * Time in ms for which an idle thread is kept. Starting one takes ten times as long as reading a file; keeping one costs some
 * megabytes.
 */
const KEPT_MS = 60_000
/** Longest time to read a configuration, in ms. It takes about a second for any text. */
const PATIENCE_MS = 30_000

/** A configuration with the places of its settings and its warnings. */
export type Given = {
  readonly config: Config
  readonly origins: Origins
  readonly warnings: readonly ConfigWarning[]
}

export type GivenOrFaults =
  | ({ readonly ok: true } & Given)
  | { readonly ok: false; readonly faults: readonly ConfigFault[] }

export type LoadOrder = { readonly text: string; readonly file: string; readonly env: Env }

/** The result without the parts that cannot be sent between threads. */
export type ThreadAnswer = ({ readonly ok: true } & Omit<Given, 'origins'>) | Extract<GivenOrFaults, { ok: false }>

type Pending = { readonly resolve: (answer: ThreadAnswer) => void; readonly reject: (error: unknown) => void }

/** Reads configurations in a thread, which is kept while it is needed. */
export class ConfigThread {
  readonly #clock: Clock
  #worker: Worker | undefined
  #pending: Pending | undefined
  #idle: Timer | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Result of loadConfig with the warnings; one at a time. Rejects only when the thread fails. */
  async load({ text, file, env }: LoadOrder): Promise<GivenOrFaults> {
    if (this.#idle !== undefined) this.#clock.cancel(this.#idle)
    const worker = this.#worker ?? this.#begin()
    const late = this.#clock.after(PATIENCE_MS, () => this.#lose(worker, 'does not answer'))
    const answer = await new Promise<ThreadAnswer>((resolve, reject) => {
      this.#pending = { resolve, reject }
      worker.postMessage({ text, file, env: { ...env } })
    }).finally(() => this.#clock.cancel(late))
    // Frozen objects arrive as copies that are not frozen.
    return answer.ok ? { ...answer, config: frozen(answer.config), origins: originsOf(text, file) } : answer
  }

  #begin(): Worker {
    const worker = new Worker(new URL('./load-thread.ts', import.meta.url))
    worker.on('message', (answer: ThreadAnswer) => {
      this.#pending?.resolve(answer)
      this.#idle = this.#clock.after(KEPT_MS, () => {
        this.#worker = undefined
        void worker.terminate()
      })
    })
    worker.on('error', (cause: Error) => this.#lose(worker, 'failed', cause))
    worker.on('messageerror', (cause: Error) => this.#lose(worker, 'has an answer that cannot be read', cause))
    worker.on('exit', () => this.#lose(worker, 'has ended'))
    // After the listeners: adding one to the thread's messages would hold the process again.
    worker.unref()
    this.#worker = worker
    return worker
  }

  /** Drops the thread. The next configuration is read in a new one. */
  #lose(worker: Worker, how: string, cause?: Error): void {
    if (this.#worker !== worker) return
    this.#worker = undefined
    void worker.terminate()
    this.#pending?.reject(new Error(`the thread that reads the configuration ${how}`, { cause }))
  }
}
