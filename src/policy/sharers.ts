import type { Timer } from '../clock.ts'
import { ProxyError } from '../errors.ts'
import type { Deps, Exchange, RawHeaders, Reply } from './exchange.ts'
import { Link } from './link.ts'

/** One of those who wait for the same. */
export type Sharer = {
  readonly exchange: Exchange
  readonly resolve: (reply: Reply) => void
  readonly reject: (error: unknown) => void
  readonly onGone: () => void
  timer: Timer | undefined
}

/**
 * The exchanges that one call of the upstream is made for. Each waits no longer than its own time; one whose client leaves
 * takes nothing from the others; with the last one the call itself is given up.
 */
export class Sharers {
  readonly #all = new Set<Sharer>()
  readonly #deps: Deps
  readonly #onNone: () => void
  /** The client that the call is made for. */
  readonly link: Link

  /** @param onNone called when the last one is told or has left. */
  constructor(onNone: () => void, deps: Deps) {
    this.#onNone = onNone
    this.#deps = deps
    this.link = new Link((status, headers) => this.#inform(status, headers))
  }

  get size(): number {
    return this.#all.size
  }

  /** Monotonic ms by which the last of them gives up; `now` when there is none. */
  latestDeadline(now: number): number {
    return Math.max(now, ...[...this.#all].map(({ exchange }) => exchange.deadlineAt))
  }

  /** @param onDue called at `dueAt` (monotonic ms) while it still waits. */
  join(exchange: Exchange, dueAt: number, onDue: (sharer: Sharer) => void): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const onGone = () => this.drop(sharer, () => reject(new ProxyError('client_gone')))
      const sharer: Sharer = { exchange, resolve, reject, onGone, timer: undefined }
      this.#all.add(sharer)
      exchange.client.listen(onGone)
      this.arm(sharer, dueAt, onDue)
    })
  }

  arm(sharer: Sharer, dueAt: number, onDue: (sharer: Sharer) => void): void {
    const { clock } = this.#deps
    sharer.timer = clock.after(dueAt - clock.now(), () => onDue(sharer))
  }

  /** Its deadline has come with nothing to tell. */
  expire(sharer: Sharer): void {
    this.drop(sharer, () => sharer.reject(new ProxyError(sharer.exchange.deadlineFault)))
  }

  /** Takes one out and does what becomes of it, unless it is out already. */
  drop(sharer: Sharer, then: () => void): void {
    if (!this.#all.delete(sharer)) return
    if (sharer.timer !== undefined) this.#deps.clock.cancel(sharer.timer)
    sharer.exchange.client.unlisten(sharer.onGone)
    then()
    if (this.#all.size === 0) this.#onNone()
  }

  /** Takes all out, those who came first first. */
  settle(then: (sharer: Sharer) => void): void {
    for (const sharer of [...this.#all]) this.drop(sharer, () => then(sharer))
  }

  #inform(status: number, headers: RawHeaders): void {
    for (const { exchange } of this.#all) exchange.client.inform(status, headers)
  }
}
