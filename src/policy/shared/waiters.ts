import type { Timer } from '../../clock.ts'
import { type FaultCode, isDeadline, ProxyError } from '../../errors.ts'
import { outOfTime } from '../out-of-time.ts'
import { type Exchange, join, type Reply } from '../exchange.ts'
import type { Deps } from '../../deps.ts'
import type { RawHeaders } from '../../net/fields.ts'
import { Link } from '../link.ts'

/** One exchange that waits for a shared call. */
export type Waiter = {
  readonly exchange: Exchange
  readonly resolve: (reply: Reply) => void
  readonly reject: (error: unknown) => void
  readonly onGone: () => void
  /** Monotonic ms at which the timer fires. */
  dueAt: number
  timer: Timer | undefined
}

/**
 * The exchanges that wait for one shared call. The call belongs to none of them: it lasts until the latest of their deadlines
 * and is judged as if the most patient of them had made it. Each waits until its own deadline, gets its own reason, and learns
 * the result of the call. A client that leaves does not affect the others; when the last one leaves, the call ends.
 */
export class Waiters {
  readonly #all = new Set<Waiter>()
  readonly #deps: Deps
  readonly #onNone: (as: FaultCode) => void
  /** The call that they wait for; undefined between two polls of a hold. */
  #call: Exchange | undefined
  /** Client of the call, on behalf of all of them. */
  readonly link: Link

  /** @param onNone called when the last one was answered or has left, with the fault that ends the call. */
  constructor(onNone: (as: FaultCode) => void, deps: Deps) {
    this.#onNone = onNone
    this.#deps = deps
    this.link = new Link((status, headers) => this.#inform(status, headers))
  }

  get size(): number {
    return this.#all.size
  }

  /** Monotonic ms of the latest end among those that wait; -Infinity when none does. */
  get lastDueAt(): number {
    let lastAt = Number.NEGATIVE_INFINITY
    for (const { dueAt } of this.#all) lastAt = Math.max(lastAt, dueAt)
    return lastAt
  }

  /** Makes them wait for a call. */
  await(call: Exchange): void {
    this.#call = call
    this.#bound()
  }

  /** Tells the result of the finished call to those that still wait. */
  land(): void {
    const call = this.#call
    this.#call = undefined
    if (call !== undefined) for (const { exchange } of this.#all) join(exchange, call)
  }

  /**
   * @param onDue called at `dueAt` (monotonic ms) while the exchange still waits.
   * @param onLeft called when its client leaves before.
   */
  join(exchange: Exchange, dueAt: number, onDue: (waiter: Waiter) => void, onLeft = () => {}): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const onGone = () => {
        onLeft()
        this.drop(waiter, 'client_gone', () => reject(new ProxyError('client_gone')))
      }
      const waiter: Waiter = { exchange, resolve, reject, onGone, dueAt, timer: undefined }
      this.#all.add(waiter)
      if (this.#all.size > 1) for (const one of this.#all) one.exchange.isShared = true
      this.#bound()
      exchange.client.listen(onGone)
      this.arm(waiter, dueAt, onDue)
    })
  }

  arm(waiter: Waiter, dueAt: number, onDue: (waiter: Waiter) => void): void {
    const { clock } = this.#deps
    waiter.dueAt = dueAt
    waiter.timer = clock.after(dueAt - clock.now(), () => onDue(waiter))
  }

  /** Answers an exchange whose deadline has passed. */
  expire(waiter: Waiter): void {
    const { exchange, reject } = waiter
    const { deadlineFault } = exchange
    this.drop(waiter, deadlineFault, () => reject(outOfTime(deadlineFault, exchange)))
  }

  /**
   * Removes an exchange and answers it, unless it was removed before.
   * @param as fault that ends the call when this was the last exchange.
   */
  drop(waiter: Waiter, as: FaultCode, answer: () => void): void {
    if (!this.#all.delete(waiter)) return
    if (waiter.timer !== undefined) this.#deps.clock.cancel(waiter.timer)
    waiter.exchange.client.unlisten(waiter.onGone)
    // The call ends first, so that the exchange's history has its last attempt.
    if (this.#all.size === 0) this.#onNone(as)
    else this.#bound()
    if (this.#call !== undefined) join(waiter.exchange, this.#call)
    answer()
  }

  /** Answers all, in order of arrival. */
  settle(answer: (waiter: Waiter) => void): void {
    for (const waiter of [...this.#all]) this.drop(waiter, 'client_gone', () => answer(waiter))
  }

  /** Refuses all. Where the call ran out of time, each gets the reason of its own deadline. */
  refuse(error: unknown): void {
    const ranOut = error instanceof ProxyError && isDeadline(error.code)
    this.settle(({ exchange, reject }) => reject(ranOut ? outOfTime(exchange.deadlineFault, exchange) : error))
  }

  /** Gives the call as long as its most patient exchange has. */
  #bound(): void {
    const call = this.#call
    if (call === undefined) return
    const [first, ...others] = this.#all
    if (first === undefined) return
    let patient = first.exchange
    for (const { exchange } of others) if (exchange.deadlineAt > patient.deadlineAt) patient = exchange
    call.deadlineAt = patient.deadlineAt
    call.deadlineFault = patient.deadlineFault
  }

  #inform(status: number, headers: RawHeaders): void {
    for (const { exchange } of this.#all) exchange.client.inform(status, headers)
  }
}
