import { createHash } from 'node:crypto'
import { ProxyError } from '../errors.ts'
import type { Deps, Exchange, Layer, Reply, Send } from './exchange.ts'
import { Fanout } from './fanout.ts'
import { sameness } from './sameness.ts'
import { Sharers } from './sharers.ts'
import { receivedWithin, WholeRequestBody } from './whole.ts'

export type CollapseSettings = {
  /** Fields, lower case, in which requests must agree; undefined for all but those that each request has its own of. */
  readonly headers: ReadonlySet<string> | undefined
  /** A request with a larger body is sent by itself. */
  readonly maxBodyBytes: number
}

/** The calls under way that others may still join, by what they ask for. */
export type Flights = Map<string, Flight>

/**
 * Makes one call of those that are alike and come while it has no response head yet: each client gets the whole response,
 * or the fault. Stands around everything that an upstream is protected by, so that only the one call takes of it. Source:
 * Go's singleflight, whose name for it this is; here, who waits may leave, and the call lasts as long as one waits.
 */
export const collapsing =
  (settings: CollapseSettings, flights: Flights, deps: Deps): Layer =>
  (next) =>
  async (exchange) => {
    if (exchange.upgrade !== undefined) return next(exchange)
    const leftMs = exchange.deadlineAt - deps.clock.now()
    const bytes = exchange.body && (await receivedWithin(leftMs, exchange.body, settings.maxBodyBytes, deps.clock))
    if (exchange.client.gone) throw new ProxyError('client_gone')
    if (exchange.body !== undefined && bytes === undefined) return next(exchange)
    const digest = bytes === undefined ? '' : createHash('sha256').update(bytes).digest('base64')
    const key = `${sameness(exchange, settings.headers)}\n${digest}`
    const known = flights.get(key)
    if (known !== undefined) {
      deps.emit({ kind: 'shared', ref: exchange.route, by: 'collapse', trace: exchange.trace })
      return known.join(exchange)
    }
    const model = { ...exchange, body: bytes && new WholeRequestBody(bytes) }
    const flight = new Flight(model, () => void flights.delete(key), deps)
    flights.set(key, flight)
    const reply = flight.join(exchange)
    void flight.run(next)
    return reply
  }

class Flight {
  readonly #exchange: Exchange
  readonly #over: () => void
  readonly #deps: Deps
  readonly #sharers: Sharers
  /** What is still to come is its clients' own. */
  #answered = false

  constructor(model: Exchange, over: () => void, deps: Deps) {
    this.#over = over
    this.#deps = deps
    this.#sharers = new Sharers(() => {
      over()
      if (!this.#answered) this.#sharers.link.leave('client_gone')
    }, deps)
    this.#exchange = { ...model, client: this.#sharers.link, history: [] }
  }

  join(exchange: Exchange): Promise<Reply> {
    this.#exchange.deadlineAt = Math.max(this.#exchange.deadlineAt, exchange.deadlineAt)
    return this.#sharers.join(exchange, exchange.deadlineAt, (sharer) => this.#sharers.expire(sharer))
  }

  async run(next: Send): Promise<void> {
    try {
      const reply = await next(this.#exchange)
      this.#over()
      if (reply.socket !== undefined || this.#sharers.size === 0) return this.#refuse(reply)
      const fanout = new Fanout(reply, this.#deps.clock)
      this.#tell((resolve) => resolve(fanout.branch()))
      fanout.start()
    } catch (error) {
      this.#over()
      this.#tell((_, reject) => reject(error))
    }
  }

  /** Nobody is left for it, or it is a protocol switch that nobody asked for. */
  #refuse(reply: Reply): void {
    reply.discard('cancelled')
    this.#tell((_, reject) => reject(new ProxyError('protocol')))
  }

  #tell(then: (resolve: (reply: Reply) => void, reject: (error: unknown) => void) => void): void {
    const { attempts, history } = this.#exchange
    this.#answered = true
    this.#sharers.settle(({ exchange, resolve, reject }) => {
      exchange.attempts = attempts
      exchange.history.push(...history)
      then(resolve, reject)
    })
  }
}
