import type { Timer } from '../../clock.ts'
import { ProxyError } from '../../errors.ts'
import { LOOKED_AT, statusIn } from '../failure-when/report.ts'
import { type Exchange, fork, type Layer, type Reply, type Send } from '../exchange.ts'
import type { Deps } from '../../deps.ts'
import { sameness } from '../shared/sameness.ts'
import { type Sharer, Sharers } from '../shared/sharers.ts'
import type { HoldSettings } from './settings.ts'
import { WholeReply, wholeBody } from '../whole.ts'

type Hold = Exclude<HoldSettings['hold'], false>

/** Polls under way, by what they ask for. */
export type Polls = Map<string, Poll>

/** Number of clients whose poll is held. */
export const heldIn = (polls: Polls): number => [...polls.values()].reduce((sum, { size }) => sum + size, 0)

/**
 * Holds a poll: polls the upstream until the job's status is no longer one of `in` or the time is up, then relays the newest
 * response. Identical polls share one. Stands outside of every limit, so that a waiting hold takes no slot.
 */
export const holding =
  (settings: Hold, polls: Polls, deps: Deps): Layer =>
  (next) =>
  (exchange) => {
    if (exchange.method !== 'GET' || exchange.upgrade !== undefined) return next(exchange)
    if (exchange.client.gone) return Promise.reject(new ProxyError('client_gone'))
    const key = sameness(exchange, undefined)
    const known = polls.get(key)
    if (known !== undefined) {
      deps.emit({ kind: 'shared', ref: exchange.route, by: 'hold', trace: exchange.trace })
      return known.join(exchange)
    }
    const poll = new Poll(settings, exchange, next, () => void polls.delete(key), deps)
    polls.set(key, poll)
    return poll.join(exchange)
  }

/** Response to one poll, with its whole body. */
type Held = { readonly reply: Reply; readonly body: Buffer }

class Poll {
  readonly #settings: Hold
  /** Statuses of a running job: the hold goes on while the response has one of them. */
  readonly #pending: ReadonlySet<string>
  readonly #model: Exchange
  readonly #next: Send
  readonly #deps: Deps
  readonly #sharers: Sharers
  #latest: Held | undefined
  #wait: Timer | undefined

  constructor(settings: Hold, model: Exchange, next: Send, over: () => void, deps: Deps) {
    this.#settings = settings
    this.#pending = new Set(settings.in)
    this.#model = model
    this.#next = next
    this.#deps = deps
    this.#sharers = new Sharers((as) => {
      over()
      if (this.#wait !== undefined) deps.clock.cancel(this.#wait)
      this.#sharers.link.leave(as)
    }, deps)
    // The client that began the poll joins first.
    queueMicrotask(() => void this.#ask())
  }

  get size(): number {
    return this.#sharers.size
  }

  join(exchange: Exchange): Promise<Reply> {
    const untilAt = Math.min(this.#deps.clock.now() + this.#settings.upToMs, exchange.deadlineAt)
    return this.#sharers.join(exchange, untilAt, (sharer) => {
      if (this.#latest !== undefined) return this.#tell(sharer, this.#latest)
      if (this.#deps.clock.now() >= exchange.deadlineAt) return this.#sharers.expire(sharer)
      this.#sharers.arm(sharer, exchange.deadlineAt, () => this.#sharers.expire(sharer))
    })
  }

  /** Polls the upstream once. Answers all waiters when the job has ended; otherwise polls again after `every`. */
  async #ask(): Promise<void> {
    this.#wait = undefined
    const { link } = this.#sharers
    if (link.gone) return
    const poll = fork(this.#model, { client: link, startedAt: this.#deps.clock.now() })
    this.#sharers.await(poll)
    try {
      const reply = await this.#next(poll)
      const body = await wholeBody(reply, LOOKED_AT, poll, this.#deps.clock)
      this.#sharers.land()
      if (body === undefined) return this.#passOn(reply)
      const held = { reply, body }
      this.#latest = held
      const status = statusIn(reply, body, this.#settings.json)
      if (status === undefined || !this.#pending.has(status))
        return this.#sharers.settle((sharer) => this.#answer(sharer, held))
    } catch (error) {
      this.#sharers.land()
      // A response that says the job is running is worth more than a failed poll, and the next poll may succeed.
      if (!(error instanceof ProxyError) || this.#latest === undefined) return this.#sharers.refuse(error)
    }
    if (this.#sharers.size > 0) this.#wait = this.#deps.clock.after(this.#settings.everyMs, () => void this.#ask())
  }

  /** A body that is too large to hold is no status report. One waiter gets it; the others ask for themselves. */
  #passOn(reply: Reply): void {
    let taken = false
    this.#sharers.settle((sharer) => {
      if (taken) return void Promise.try(this.#next, sharer.exchange).then(sharer.resolve, sharer.reject)
      taken = true
      sharer.resolve(reply)
    })
    if (!taken) reply.discard('cancelled')
  }

  #tell(sharer: Sharer, held: Held): void {
    this.#sharers.drop(sharer, 'client_gone', () => this.#answer(sharer, held))
  }

  #answer(sharer: Sharer, { reply, body }: Held): void {
    sharer.resolve(new WholeReply(reply, body))
  }
}
