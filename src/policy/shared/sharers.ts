import type { Timer } from '../../clock.ts'
import { type FaultCode, isDeadline, ProxyError } from '../../errors.ts'
import { type Exchange, join, type Reply } from '../exchange.ts'
import type { Deps } from '../../deps.ts'
import type { RawHeaders } from '../../net/fields.ts'
import { Link } from '../link.ts'

/** One exchange that waits for a shared call. */
export type Sharer = {
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
export class Sharers {
  readonly #all = new Set<Sharer>()
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

  /** @param onDue called at `dueAt` (monotonic ms) while the exchange still waits. */
  join(exchange: Exchange, dueAt: number, onDue: (sharer: Sharer) => void): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const onGone = () => this.drop(sharer, 'client_gone', () => reject(new ProxyError('client_gone')))
      const sharer: Sharer = { exchange, resolve, reject, onGone, dueAt, timer: undefined }
      this.#all.add(sharer)
      if (this.#all.size > 1) for (const one of this.#all) one.exchange.isShared = true
      this.#bound()
      exchange.client.listen(onGone)
      this.arm(sharer, dueAt, onDue)
    })
  }

  arm(sharer: Sharer, dueAt: number, onDue: (sharer: Sharer) => void): void {
    const { clock } = this.#deps
    sharer.dueAt = dueAt
    sharer.timer = clock.after(dueAt - clock.now(), () => onDue(sharer))
  }

  /** Answers an exchange whose deadline has passed. */
  expire(sharer: Sharer): void {
    const { deadlineFault } = sharer.exchange
    this.drop(sharer, deadlineFault, () => sharer.reject(new ProxyError(deadlineFault)))
  }

  /**
   * Removes an exchange and answers it, unless it was removed before.
   * @param as fault that ends the call when this was the last exchange.
   */
  drop(sharer: Sharer, as: FaultCode, answer: () => void): void {
    if (!this.#all.delete(sharer)) return
    if (sharer.timer !== undefined) this.#deps.clock.cancel(sharer.timer)
    sharer.exchange.client.unlisten(sharer.onGone)
    // The call ends first, so that the exchange's history has its last attempt.
    if (this.#all.size === 0) this.#onNone(as)
    else this.#bound()
    if (this.#call !== undefined) join(sharer.exchange, this.#call)
    answer()
  }

  /** Answers all, in order of arrival. */
  settle(answer: (sharer: Sharer) => void): void {
    for (const sharer of [...this.#all]) this.drop(sharer, 'client_gone', () => answer(sharer))
  }

  /** Refuses all. Where the call ran out of time, each gets the reason of its own deadline. */
  refuse(error: unknown): void {
    const ranOut = error instanceof ProxyError && isDeadline(error.code)
    this.settle(({ exchange, reject }) => reject(ranOut ? new ProxyError(exchange.deadlineFault) : error))
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
