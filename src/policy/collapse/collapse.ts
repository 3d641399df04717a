import { ProxyError } from '../../errors.ts'
import { type Exchange, extendTotal, fork, type Layer, type Reply, type RequestBody, type Send } from '../exchange.ts'
import type { Deps } from '../../deps.ts'
import { Fanout, type Unread } from './fanout.ts'
import { sameness } from '../shared/sameness.ts'
import { Waiters } from '../shared/waiters.ts'
import { receivedWithin, WholeRequestBody } from '../whole.ts'

export type CollapseRules = {
  /** Header names in lower case that must match; undefined for all but those that differ by nature. */
  readonly headers: ReadonlySet<string> | undefined
  /** A request with a larger body is sent by itself. */
  readonly maxBodyBytes: number
}

/** Calls under way that identical requests may still join, by what they ask for. */
export type Flights = Map<string, Flight>

/**
 * Makes one call for identical requests that arrive before its response head. Each client gets the whole response, or the
 * fault. Stands outside of every limit, so that the one call counts once. Source: Go's singleflight; here waiters may leave,
 * and the call lasts as long as one of them waits.
 */
export const collapsing =
  (settings: CollapseRules, flights: Flights, unread: Unread, deps: Deps): Layer =>
  (next) =>
  async (exchange) => {
    if (exchange.upgrade !== undefined) return next(exchange)
    const since = deps.clock.now()
    const bytes =
      exchange.body &&
      (await receivedWithin(
        exchange.limitAt - since,
        exchange.timeouts.idleMs,
        exchange.body,
        settings.maxBodyBytes,
        deps.clock,
      ))
    extendTotal(exchange, deps.clock.now() - since)
    if (exchange.client.gone) throw new ProxyError('client_gone')
    if (exchange.body !== undefined && bytes === undefined) return next(exchange)
    const key = sameness(exchange, settings.headers, bytes)
    const known = flights.get(key)
    if (known !== undefined) {
      deps.emit({ kind: 'shared', ref: exchange.route, by: 'collapse', trace: exchange.trace })
      return known.join(exchange)
    }
    const over = () => {
      if (flights.get(key) === flight) flights.delete(key)
    }
    const flight = new Flight(exchange, bytes && new WholeRequestBody(bytes), over, unread, deps)
    flights.set(key, flight)
    const reply = flight.join(exchange)
    void flight.run(next)
    return reply
  }

class Flight {
  readonly #call: Exchange
  readonly #over: () => void
  readonly #unread: Unread
  readonly #waiters: Waiters
  /** Whether the response head has come. From then on each client reads its own copy. */
  #answered = false

  /** @param over called once no other request may join. */
  constructor(model: Exchange, body: RequestBody | undefined, over: () => void, unread: Unread, deps: Deps) {
    this.#over = over
    this.#unread = unread
    this.#waiters = new Waiters((as) => {
      over()
      if (!this.#answered) this.#waiters.link.leave(as)
    }, deps)
    this.#call = fork(model, { body, client: this.#waiters.link })
    this.#waiters.await(this.#call)
  }

  join(exchange: Exchange): Promise<Reply> {
    return this.#waiters.join(exchange, exchange.deadlineAt, (waiter) => this.#waiters.expire(waiter))
  }

  async run(next: Send): Promise<void> {
    try {
      const reply = await next(this.#call)
      this.#land()
      if (reply.socket !== undefined || this.#waiters.size === 0) return this.#refuse(reply)
      const fanout = new Fanout(reply, this.#unread)
      this.#waiters.settle(({ resolve }) => resolve(fanout.branch()))
      fanout.start()
    } catch (error) {
      this.#land()
      this.#waiters.refuse(error)
    }
  }

  #land(): void {
    this.#over()
    this.#answered = true
    this.#waiters.land()
  }

  /** Discards a reply that no client waits for, or a protocol switch that no client asked for. */
  #refuse(reply: Reply): void {
    reply.discard('cancelled')
    this.#waiters.refuse(new ProxyError('protocol'))
  }
}
