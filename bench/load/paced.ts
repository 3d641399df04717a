/**
 * Sends requests to two addresses at the same constant rate, whether or not answers come (open-loop load): a slow answer
 * delays no later request, and a stall of the machine affects both addresses alike.
 * Arguments: two urls, requests a second to each, seconds. Prints one line of JSON, a Pace (see pace.ts).
 */

import { type Dispatcher, Pool } from 'undici'
import { quantile } from '../statistics.ts'

/** Answers of this first time are not counted, while connections are made. */
const SETTLING_MS = 500

/** Repeated order of the two addresses, in which each is first as often as second. */
const ORDER = [0, 1, 1, 0] as const

class Address {
  readonly #pool: Pool
  readonly #path: string
  readonly latenciesMs: number[] = []
  failed = 0

  constructor(written: string) {
    const url = new URL(written)
    this.#path = url.pathname
    this.#pool = new Pool(url.origin, { connections: 64, allowH2: false, headersTimeout: 0, bodyTimeout: 0 })
  }

  /** @param onDone called when the answer is complete or has failed. */
  ask(counts: boolean, onDone: () => void): void {
    this.#pool.dispatch({ method: 'GET', path: this.#path }, new Question(this, counts, onDone))
  }

  close(): Promise<void> {
    return this.#pool.close()
  }

  report() {
    const sorted = this.latenciesMs.toSorted((a, b) => a - b)
    return { p50Ms: quantile(sorted, 0.5), p99Ms: quantile(sorted, 0.99), failed: this.failed }
  }
}

class Question implements Dispatcher.DispatchHandler {
  readonly #address: Address
  readonly #counts: boolean
  readonly #onDone: () => void
  readonly #askedAt = performance.now()
  #status = 0

  constructor(address: Address, counts: boolean, onDone: () => void) {
    this.#address = address
    this.#counts = counts
    this.#onDone = onDone
  }

  onRequestStart(): void {}

  onResponseStart(_: Dispatcher.DispatchController, status: number): void {
    this.#status = status
  }

  onResponseData(): void {}

  onResponseEnd(): void {
    if (this.#status !== 200) this.#address.failed += 1
    else if (this.#counts) this.#address.latenciesMs.push(performance.now() - this.#askedAt)
    this.#onDone()
  }

  onResponseError(): void {
    this.#address.failed += 1
    this.#onDone()
  }
}

const [directUrl = '', proxiedUrl = '', rate, seconds] = process.argv.slice(2)
const direct = new Address(directUrl)
const proxied = new Address(proxiedUrl)
await askAlternately([direct, proxied], (2 * Number(rate)) / 1000, SETTLING_MS + Number(seconds) * 1000)
await Promise.all([direct.close(), proxied.close()])
process.stdout.write(`${JSON.stringify({ direct: direct.report(), proxied: proxied.report() })}\n`)

/** Resolves when the last answer has come. @param perMs requests a ms to both addresses together. */
function askAlternately(addresses: readonly [Address, Address], perMs: number, lengthMs: number): Promise<void> {
  const beganAt = performance.now()
  const total = Math.floor(lengthMs * perMs)
  let asked = 0
  let answered = 0
  return new Promise((resolve) => {
    const onDone = () => {
      answered += 1
      if (answered === total) resolve()
    }
    const tick = () => {
      const elapsedMs = performance.now() - beganAt
      for (const due = Math.min(total, Math.floor(elapsedMs * perMs)); asked < due; asked += 1) {
        const address = addresses[ORDER[asked % ORDER.length] ?? 0]
        address.ask(elapsedMs > SETTLING_MS, onDone)
      }
      if (asked < total) setTimeout(tick, 1)
    }
    tick()
  })
}
