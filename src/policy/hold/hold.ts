import type { Timer } from '../../clock.ts'
import { ProxyError } from '../../errors.ts'
import type { CompiledCondition } from '../../job/condition.ts'
import { firstField } from '../../net/fields.ts'
import { isJson, reportOf } from '../failure-when/report.ts'
import { type Exchange, fork, type Layer, type Reply, type Send } from '../exchange.ts'
import type { Deps } from '../../deps.ts'
import { sameness } from '../shared/sameness.ts'
import { type Waiter, Waiters } from '../shared/waiters.ts'
import { retryAfterMs } from '../retry/backoff.ts'
import { clientName, heldMs, noteAnswer, noteLeave, type Patiences, told } from './patience.ts'
import { WholeReply, wholeBody } from '../whole.ts'

export type Hold = {
  readonly running: CompiledCondition
  /** Ends the hold whatever `running` says; undefined when the route has none. */
  readonly completed: CompiledCondition | undefined
  /** A status that time may mend ends the hold where this says that it is the job's own failure. */
  readonly failed: CompiledCondition | undefined
  readonly upToMs: number
  readonly everyMs: number
  /** Largest body that is read. */
  readonly limitBytes: number
}

const NOT_FOUND = 404
/**
 * Number of 404s, or of successes that say nothing about the job, in a row that end a hold. A replica or a cache that does not know
 * the job yet answers so once or twice; a job that was deleted stays away, and a result that is no report stays one.
 */
const MAX_UNCLEAR = 3
/** Statuses below 500 that time may mend: 408 Request Timeout, 425 Too Early, 429 Too Many Requests. */
const PASSING: ReadonlySet<number> = new Set([NOT_FOUND, 408, 425, 429])
/** Time that a poll waits behind the ends of the waiters, in ms: their answers come first, so that no poll is begun for nobody. */
const AFTER_ENDS_MS = 1

/** Whether time may mend the status, so that such a poll has failed and ends no hold. */
const isPassing = (status: number) => status >= 500 || PASSING.has(status)

/** Polls under way, by what they ask for. */
export type Polls = Map<string, Poll>

/** State of a route's holds. */
export type HoldState = { readonly polls: Polls; readonly patiences: Patiences }

/** Number of clients whose poll is held. */
export const heldIn = (polls: Polls): number => [...polls.values()].reduce((sum, { size }) => sum + size, 0)

/**
 * Holds a poll: polls the upstream until `running` no longer holds or the time is up, then relays the newest
 * response. Once the job is known to run, polls that fail do not end the hold: at the end the pending answer is relayed.
 * Identical polls share one. Stands outside of every limit, so that a waiting hold takes no slot.
 */
export const holding =
  (settings: Hold, { polls, patiences }: HoldState, deps: Deps): Layer =>
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
    const poll = new Poll(settings, patiences, exchange, next, () => void polls.delete(key), deps)
    polls.set(key, poll)
    return poll.join(exchange)
  }

/** A response to a poll, with its whole body, and without the call that brought it: a hold keeps it for minutes. */
type Held = { readonly head: Pick<Reply, 'status' | 'statusText' | 'headers'>; readonly body: Buffer }

class Poll {
  readonly #settings: Hold
  readonly #patiences: Patiences
  readonly #model: Exchange
  readonly #next: Send
  readonly #deps: Deps
  readonly #waiters: Waiters
  /** Newest response that reports a running job. */
  #pendingAnswer: Held | undefined
  /** Waiters whose `upTo` passed before the first answer. They are answered with it. */
  readonly #overdue = new Set<Waiter>()
  /** 404s and successes that say nothing about the job since the last other outcome. */
  #unclear = 0
  #wait: Timer | undefined

  constructor(settings: Hold, patiences: Patiences, model: Exchange, next: Send, over: () => void, deps: Deps) {
    this.#settings = settings
    this.#patiences = patiences
    this.#model = model
    this.#next = next
    this.#deps = deps
    this.#waiters = new Waiters((as) => {
      over()
      if (this.#wait !== undefined) deps.clock.cancel(this.#wait)
      this.#waiters.link.leave(as)
    }, deps)
    // The client that began the poll joins first.
    queueMicrotask(() => void this.#ask())
  }

  get size(): number {
    return this.#waiters.size
  }

  join(exchange: Exchange): Promise<Reply> {
    const { upToMs } = this.#settings
    const clientMs = heldMs(this.#patiences, nameOf(exchange), this.#settings)
    // A client's time-out runs from its request on.
    const clientAt = clientMs < upToMs ? exchange.startedAt + clientMs : Number.POSITIVE_INFINITY
    const untilAt = Math.min(this.#deps.clock.now() + upToMs, clientAt, exchange.deadlineAt)
    const onDue = (waiter: Waiter) => {
      if (this.#pendingAnswer !== undefined) return this.#tell(waiter, this.#pendingAnswer)
      if (this.#deps.clock.now() >= exchange.deadlineAt) return this.#waiters.expire(waiter)
      this.#overdue.add(waiter)
      this.#waiters.arm(waiter, exchange.deadlineAt, () => this.#waiters.expire(waiter))
    }
    return this.#waiters.join(exchange, untilAt, onDue, () => this.#left(exchange))
  }

  /** Learns from a client that leaves. One that leaves before the first answer was not kept waiting by the hold. */
  #left(exchange: Exchange): void {
    const { client, route: ref, startedAt } = exchange
    if (this.#pendingAnswer === undefined || client.goneAs !== 'client_gone') return
    const { clock, emit } = this.#deps
    const name = nameOf(exchange)
    const now = clock.now()
    const patienceMs = noteLeave(this.#patiences, name, now - startedAt, now)
    if (patienceMs === undefined) return
    emit({ kind: 'hold_outlasts_client', ref, ...told(this.#patiences, name, patienceMs, this.#settings) })
  }

  /** Polls the upstream once. Answers all waiters when the hold is over; otherwise polls again later. */
  async #ask(): Promise<void> {
    this.#wait = undefined
    const { link } = this.#waiters
    if (link.gone) return
    const { clock } = this.#deps
    const readsWhole = (reply: Reply) => !this.#isNoReport(reply)
    const poll = fork(this.#model, { client: link, readsWhole, startedAt: clock.now() })
    this.#waiters.await(poll)
    try {
      const reply = await this.#next(poll)
      if (this.#pendingAnswer === undefined && this.#isNoReport(reply)) {
        this.#waiters.land()
        return this.#passOn(reply)
      }
      const body = await wholeBody(reply, this.#settings.limitBytes, poll, clock)
      this.#waiters.land()
      if (this.#ends(reply, body)) return this.#answerAll(reply, body)
      // The rest of a body that is too large is of no use and would keep its connection.
      if (body === undefined) reply.discard('cancelled')
      this.#askAgain(retryAfterMs(reply.headers, clock.wallNow()))
    } catch (error) {
      this.#waiters.land()
      if (!(error instanceof ProxyError) || this.#pendingAnswer === undefined) return this.#waiters.refuse(error)
      this.#unclear = 0
      // The sidecar's own Retry-After is not waited for: a refused poll costs the upstream nothing.
      this.#askAgain(0)
    }
  }

  /**
   * Whether a success has a body of another type than the conditions read, such as an event stream or the result itself. Its
   * client gets it as it comes.
   */
  #isNoReport(reply: Reply): boolean {
    const { running, completed, limitBytes } = this.#settings
    const readsText = running.readsText || completed?.readsText === true
    if (readsText || reply.status >= 300 || isJson(reply.headers)) return false
    return running.verdictOn(reportOf(reply, undefined, limitBytes)) !== 'yes'
  }

  /**
   * Whether a response ends the hold. One that reports a running job is kept. After such a response, a redirect, a refusal that
   * polling does not mend, another report of the job, a success that is too large for a report, or the third unclear response in
   * a row ends it.
   * @param body undefined when it is too large.
   */
  #ends(reply: Reply, body: Buffer | undefined): boolean {
    const { running, completed, failed, limitBytes } = this.#settings
    const report = reportOf(reply, body, limitBytes)
    const isCompleted = completed?.verdictOn(report) === 'yes'
    const verdict = isCompleted ? 'no' : running.verdictOn(report)
    if (verdict === 'yes' && body !== undefined) {
      const held = heldOf(reply, body)
      this.#unclear = 0
      this.#pendingAnswer = held
      for (const waiter of this.#overdue) this.#tell(waiter, held)
      this.#overdue.clear()
      return false
    }
    if (this.#pendingAnswer === undefined || verdict === 'yes' || isCompleted) return true
    const { status } = reply
    if (status >= 300 && (!isPassing(status) || failed?.verdictOn(report) === 'yes')) return true
    const isSuccess = status < 300
    const isReport = isSuccess && verdict === 'no' && !running.isMissedBy(report)
    const isResult = isSuccess && report.isTooLarge()
    if (isReport || isResult) return true
    this.#unclear = isSuccess || status === NOT_FOUND ? this.#unclear + 1 : 0
    return this.#unclear === MAX_UNCLEAR
  }

  /**
   * @param retryAfter what the upstream asked for, in ms: lengthens `every`, but not past the end of those who wait now. A
   * client that joins later would otherwise be held without a poll.
   */
  #askAgain(retryAfter: number): void {
    if (this.#waiters.size === 0) return
    const { clock } = this.#deps
    const leftMs = this.#waiters.lastDueAt - clock.now() + AFTER_ENDS_MS
    const waitMs = Math.max(this.#settings.everyMs, Math.min(retryAfter, leftMs))
    this.#wait = clock.after(waitMs, () => void this.#ask())
  }

  #answerAll(reply: Reply, body: Buffer | undefined): void {
    if (body === undefined) return this.#passOn(reply)
    this.#waiters.settle((waiter) => this.#answer(waiter, heldOf(reply, body)))
  }

  /** A body that is too large is not held for several. One waiter gets it; the others ask for themselves. */
  #passOn(reply: Reply): void {
    let taken = false
    this.#waiters.settle((waiter) => {
      if (taken) return void Promise.try(this.#next, waiter.exchange).then(waiter.resolve, waiter.reject)
      taken = true
      waiter.resolve(reply)
    })
    if (!taken) reply.discard('cancelled')
  }

  #tell(waiter: Waiter, held: Held): void {
    this.#waiters.drop(waiter, 'client_gone', () => this.#answer(waiter, held))
  }

  #answer(waiter: Waiter, { head, body }: Held): void {
    const { exchange } = waiter
    noteAnswer(this.#patiences, nameOf(exchange), this.#deps.clock.now() - exchange.startedAt)
    waiter.resolve(new WholeReply(head, body))
  }
}

const heldOf = ({ status, statusText, headers }: Reply, body: Buffer): Held => ({
  head: { status, statusText, headers },
  body,
})

const nameOf = ({ headers }: Exchange) => clientName(firstField(headers, 'user-agent'))
