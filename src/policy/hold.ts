import type { Timer } from '../clock.ts'
import { ProxyError } from '../errors.ts'
import { LOOKED_AT, statusIn } from './classify.ts'
import type { Deps, Exchange, Layer, Reply, Send } from './exchange.ts'
import { sameness } from './sameness.ts'
import { type Sharer, Sharers } from './sharers.ts'
import { WholeReply, wholeBody } from './whole.ts'

export type HoldSettings = {
  /** JSON Pointer (RFC 6901) to the status in the body. */
  readonly json: string
  /** While the status is one of these the job goes on, and so does the hold. */
  readonly pending: ReadonlySet<string>
  /** The longest hold, in ms; the exchange's deadline may make it shorter. */
  readonly upToMs: number
  /** Between two polls of the upstream, in ms. */
  readonly everyMs: number
}

/** The polls under way, by what they ask for. */
export type Polls = Map<string, Poll>

/** Clients whose poll is held. */
export const heldIn = (polls: Polls): number => [...polls.values()].reduce((sum, { size }) => sum + size, 0)

/**
 * Answers a poll when there is something to say: polls the upstream itself until the job's status leaves the list or the
 * time is up, then passes the newest response on as it is. Those who ask the same share one poll. Stands around
 * everything that an upstream is protected by, so that a hold takes up none of it while it waits.
 */
export const holding =
  (settings: HoldSettings, polls: Polls, deps: Deps): Layer =>
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

/** What came of one poll: a response with its whole body. */
type Held = { readonly reply: Reply; readonly body: Buffer }

class Poll {
  readonly #settings: HoldSettings
  readonly #model: Exchange
  readonly #next: Send
  readonly #deps: Deps
  readonly #sharers: Sharers
  readonly #history: Exchange['history'] = []
  #attempts = 0
  #latest: Held | undefined
  #wait: Timer | undefined

  constructor(settings: HoldSettings, model: Exchange, next: Send, over: () => void, deps: Deps) {
    this.#settings = settings
    this.#model = model
    this.#next = next
    this.#deps = deps
    this.#sharers = new Sharers(() => {
      over()
      if (this.#wait !== undefined) deps.clock.cancel(this.#wait)
      this.#sharers.link.leave('client_gone')
    }, deps)
    // After whoever began it has joined.
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

  async #ask(): Promise<void> {
    this.#wait = undefined
    const startedAt = this.#deps.clock.now()
    const exchange: Exchange = {
      ...this.#model,
      client: this.#sharers.link,
      startedAt,
      deadlineAt: this.#sharers.latestDeadline(startedAt),
      attempts: 0,
      tried: [],
      history: this.#history,
    }
    try {
      const reply = await this.#next(exchange)
      const body = await wholeBody(reply, LOOKED_AT)
      this.#attempts += exchange.attempts
      if (body === undefined) return this.#passOn(reply)
      const held = { reply, body }
      this.#latest = held
      const status = statusIn(reply, body, this.#settings.json)
      if (status === undefined || !this.#settings.pending.has(status))
        return this.#sharers.settle((sharer) => this.#answer(sharer, held))
    } catch (error) {
      this.#attempts += exchange.attempts
      if (!(error instanceof ProxyError) || this.#latest === undefined) {
        return this.#sharers.settle((sharer) => {
          this.#account(sharer)
          sharer.reject(error)
        })
      }
      // The newest response is still the newest; the next poll may fare better.
    }
    if (this.#sharers.size > 0) this.#wait = this.#deps.clock.after(this.#settings.everyMs, () => void this.#ask())
  }

  /** A body that is too large to be held is no status report: it goes to one of them, the others ask for themselves. */
  #passOn(reply: Reply): void {
    let taken = false
    this.#sharers.settle((sharer) => {
      if (taken) return void this.#next(sharer.exchange).then(sharer.resolve, sharer.reject)
      taken = true
      this.#account(sharer)
      sharer.resolve(reply)
    })
    if (!taken) reply.discard('cancelled')
  }

  #tell(sharer: Sharer, held: Held): void {
    this.#sharers.drop(sharer, () => this.#answer(sharer, held))
  }

  #answer(sharer: Sharer, { reply, body }: Held): void {
    this.#account(sharer)
    sharer.resolve(new WholeReply(reply, body))
  }

  #account({ exchange }: Sharer): void {
    exchange.attempts = this.#attempts
    exchange.history.push(...this.#history)
  }
}
