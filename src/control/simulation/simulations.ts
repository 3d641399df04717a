/** Runs simulations in a thread of their own, one at a time: a simulation takes as much of a core as it gets. */

import { Worker } from 'node:worker_threads'
import type { Clock } from '../../clock.ts'
import type { SimulationAnswer, SimulationOrder } from '../../simulate/asked/order.ts'
import { Refusal } from '../api/operation.ts'

/** Longest time of a simulation, in ms. */
const LIMIT_MS = 20_000
/** Memory of the thread's heap, in MiB. */
const HEAP_MIB = 256

const THREAD = new URL('../../simulate/asked/thread.ts', import.meta.url)

export class Simulations {
  readonly #clock: Clock
  #end: ((why: Error) => void) | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /**
   * @param gone aborted when the caller has left, which ends the simulation.
   * @throws Refusal while another one runs, and when this one takes too much time or memory.
   */
  async run(order: SimulationOrder, gone: AbortSignal): Promise<SimulationAnswer> {
    if (this.#end !== undefined)
      throw new Refusal(429, 'another simulation is under way', undefined, { 'retry-after': '5' })
    const worker = new Worker(THREAD, { resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB } })
    worker.unref()
    const ended = new Promise<never>((_, reject) => {
      this.#end = reject
      worker.on('error', (cause: Error) => reject(failed(cause)))
      worker.on('exit', () => reject(new Error('the thread of the simulation has ended')))
    })
    const leave = () => this.#end?.(new Refusal(499, 'the caller has left'))
    gone.addEventListener('abort', leave)
    const tooLate = () =>
      new Refusal(
        422,
        `the simulation takes longer than ${LIMIT_MS / 1000} s: ask for less, or run breakwater simulate`,
      )
    const timer = this.#clock.after(LIMIT_MS, () => this.#end?.(tooLate()))
    try {
      const answered = new Promise<SimulationAnswer>((resolve) => worker.on('message', resolve))
      worker.postMessage(order)
      if (gone.aborted) leave()
      return await Promise.race([answered, ended])
    } finally {
      this.#clock.cancel(timer)
      gone.removeEventListener('abort', leave)
      await worker.terminate()
      this.#end = undefined
    }
  }

  /** Ends the one under way. */
  async close(): Promise<void> {
    this.#end?.(new Refusal(503, 'the sidecar is ending', undefined, { 'retry-after': '5' }))
  }
}

function failed(cause: Error): Error {
  const isMemory = 'code' in cause && cause.code === 'ERR_WORKER_OUT_OF_MEMORY'
  if (!isMemory) return new Error('the simulation failed', { cause })
  return new Refusal(422, `the simulation takes more than ${HEAP_MIB} MiB: ask for less, or run breakwater simulate`)
}
