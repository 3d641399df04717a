import type { Timer } from '../../clock.ts'
import { type FaultCode, ProxyError } from '../../errors.ts'
import { waitMs } from '../retry/backoff.ts'
import { type Budget, withdraw } from '../retry/budget.ts'
import { ReplyBase } from '../reply-base.ts'
import { type BodySink, type Exchange, fork, join, type Layer, noteBreak, type Reply, type Send } from '../exchange.ts'
import type { Deps } from '../../deps.ts'
import type { BodyEnd, ResumeDenial } from '../../events.ts'
import { fieldOf, type RawHeaders, withoutFields } from '../../net/fields.ts'
import type { RetryRules } from '../retry/retry.ts'
import { type Validator, validatorOf } from './validator.ts'

type Rules = { readonly settings: RetryRules; readonly budget: Budget; readonly next: Send; readonly deps: Deps }

/** First and last byte of a reply within its representation, and the representation's length. */
type Extent = { readonly first: number; readonly last: number; readonly total: number }

/**
 * Resumes a download that broke off, so that the client sees one body. Joins only parts with the same strong validator (validator.ts), and
 * only when the upstream confirms that nothing has changed (RFC 9110 sections 13.1.5 and 14). Otherwise the client's connection
 * is cut, as without it. Each resume waits like a retry, takes from the retry budget and counts as an attempt. Between two
 * bytes there may be `attempts` tries, all within `idle`.
 */
export const resuming =
  (settings: RetryRules, budget: Budget, deps: Deps): Layer =>
  (next) =>
  async (exchange) => {
    const reply = await next(exchange)
    const isBody = reply.status === 200 || reply.status === 206
    if (exchange.method !== 'GET' || !isBody) return reply
    const extent = extentOf(reply)
    if (typeof extent === 'string') return tellingWhyNot(reply, extent, exchange, deps)
    const validator = validatorOf(reply.headers, deps.clock.wallNow())
    if (typeof validator === 'string') return tellingWhyNot(reply, validator, exchange, deps)
    return new Resumable(reply, extent, validator, exchange, { settings, budget, next, deps })
  }

/** Whether the rest of a reply's body could be requested. @param wallNow ms since the epoch. */
export const isResumable = (reply: Reply, wallNow: number): boolean =>
  typeof extentOf(reply) !== 'string' && typeof validatorOf(reply.headers, wallNow) !== 'string'

/** A reply that cannot be resumed. When it breaks off, the log says why. */
function tellingWhyNot(reply: Reply, why: ResumeDenial, { route: ref, trace }: Exchange, { emit }: Deps): Reply {
  reply.onClosed((end) => {
    if (end !== 'complete' && end !== 'cancelled') emit({ kind: 'resume', ref, resumed: false, why, trace })
  })
  return reply
}

class Resumable extends ReplyBase implements BodySink {
  readonly #extent: Extent
  readonly #validator: Validator
  readonly #exchange: Exchange
  readonly #rules: Rules
  readonly #first: Reply
  #current: Reply
  #sink: BodySink | undefined
  #delivered = 0
  /** Resumes since the last received byte. */
  #fruitless = 0
  #timer: Timer | undefined
  /** Call for the rest of the body, until its response head. */
  #underWay: Exchange | undefined

  constructor(reply: Reply, extent: Extent, validator: Validator, exchange: Exchange, rules: Rules) {
    super()
    this.takeHead(reply)
    this.#first = reply
    this.#current = reply
    this.#extent = extent
    this.#validator = validator
    this.#exchange = exchange
    this.#rules = rules
  }

  pipe(sink: BodySink): void {
    this.#sink = sink
    this.#current.pipe(this)
  }

  resume(): void {
    if (!this.ended) this.#current.resume()
  }

  discard(end: BodyEnd): void {
    if (this.ended) return
    if (this.#timer !== undefined) this.#rules.deps.clock.cancel(this.#timer)
    this.#current.discard(end)
    this.#joinUnderWay()
    this.close(end)
  }

  #joinUnderWay(): void {
    if (this.#underWay !== undefined) join(this.#exchange, this.#underWay)
    this.#underWay = undefined
  }

  /** Only a piped body is resumed. An observer that never pipes sees the end of the first reply. */
  watch(onData: (chunk: Buffer) => void): void {
    this.#first.watch(onData)
    this.#first.onClosed((end) => {
      if (this.#sink === undefined) this.close(end)
    })
  }

  /** Never delivers a byte past the extent: an upstream that sends more than it announced is not trusted with the rest. */
  data(chunk: Buffer): boolean {
    if (this.ended) return false
    if (chunk.length > this.#missing()) {
      this.#current.discard('protocol')
      this.#giveUp('protocol', 'too_long')
      return false
    }
    this.#delivered += chunk.length
    this.#fruitless = 0
    return this.#sink?.data(chunk) ?? false
  }

  /** A part that ends before its extent has broken off, however cleanly. */
  end(trailers: RawHeaders): void {
    if (this.#missing() > 0) return this.fail('body_truncated')
    this.#sink?.end(trailers)
    this.close('complete')
  }

  #missing(): number {
    return this.#extent.last - this.#extent.first + 1 - this.#delivered
  }

  /** Called where the body broke off: resumes after a wait, or gives up. */
  fail(code: FaultCode): void {
    if (this.ended) return
    const { settings, budget, deps } = this.#rules
    const { clock, random, emit } = deps
    const { route: ref, trace } = this.#exchange
    this.#fruitless += 1
    noteBreak(this.#exchange, clock.now())
    if (this.#exchange.client.gone) return this.#giveUp(code, 'client_gone')
    if (this.#fruitless >= settings.attempts) return this.#giveUp(code, 'attempts')
    if (!withdraw(budget, clock.now(), settings.budget)) return this.#giveUp(code, 'budget')
    const wait = waitMs(this.#fruitless, settings.backoff, random)
    emit({ kind: 'retry', ref, cause: code, waitMs: wait, trace })
    this.#timer = clock.after(wait, () => {
      this.#timer = undefined
      void this.#goOn(code)
    })
  }

  async #goOn(code: FaultCode): Promise<void> {
    const { next, deps } = this.#rules
    const range = `bytes=${this.#extent.first + this.#delivered}-${this.status === 206 ? this.#extent.last : ''}`
    const headers = [
      ...withoutFields(this.#exchange.headers, CONDITIONS),
      'range',
      range,
      'if-range',
      this.#validator.ifRange,
    ]
    const startedAt = deps.clock.now()
    const deadlineAt = startedAt + this.#exchange.timeouts.idleMs
    const deadlineFault = 'idle_timeout'
    const attemptsBefore = this.#exchange.attemptsBefore + this.#exchange.attempts
    const call = fork(this.#exchange, { headers, startedAt, deadlineAt, deadlineFault, attemptsBefore })
    this.#underWay = call
    let reply: Reply
    try {
      reply = await next(call)
    } catch (error) {
      this.#joinUnderWay()
      if (!(error instanceof ProxyError)) deps.emit({ kind: 'fault', error, where: 'resume' })
      // The attempt has recorded why it failed. To the client the body broke off.
      return this.#giveUp(code, 'no_answer')
    }
    this.#joinUnderWay()
    if (this.ended) return reply.discard('cancelled')
    if (!this.#continues(reply)) {
      reply.discard('cancelled')
      return this.#giveUp(code, 'not_the_rest')
    }
    deps.emit({ kind: 'resume', ref: this.#exchange.route, resumed: true, why: undefined, trace: this.#exchange.trace })
    this.#current = reply
    reply.pipe(this)
  }

  /** Whether a reply is the rest of the same representation: same range, length, validator, coding and type. */
  #continues(reply: Reply): boolean {
    if (reply.status !== 206 || !this.#validator.isThatOf(reply.headers)) return false
    const extent = extentOf(reply)
    if (typeof extent === 'string') return false
    const { first, last, total } = this.#extent
    const isTheRest = extent.first === first + this.#delivered && extent.last === last && extent.total === total
    return isTheRest && SAME_IN_EACH_PART.every((name) => fieldOf(reply.headers, name) === fieldOf(this.headers, name))
  }

  #giveUp(code: FaultCode, why: ResumeDenial): void {
    if (this.ended) return
    const { route: ref, trace } = this.#exchange
    this.#rules.deps.emit({ kind: 'resume', ref, resumed: false, why, trace })
    this.#sink?.fail(code)
    this.close(code)
  }
}

/** Fields that describe the representation. Parts that differ in one of them do not belong together. */
const SAME_IN_EACH_PART = ['content-encoding', 'content-type'] as const

/** The extent of a 200 or a 206 whose rest can be requested; why it cannot, when the reply does not give it exactly. */
function extentOf({ status, headers }: Reply): Extent | ResumeDenial {
  const length = fieldOf(headers, 'content-length')
  if (status === 206) {
    const [, ...digits] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(fieldOf(headers, 'content-range')) ?? []
    const [first = Number.NaN, last = Number.NaN, total = Number.NaN] = digits.map(Number)
    const isSound = first <= last && last < total && (length === '' || Number(length) === last - first + 1)
    return isSound ? { first, last, total } : 'no_length'
  }
  if (fieldOf(headers, 'accept-ranges') !== 'bytes') return 'no_ranges'
  if (!/^\d+$/.test(length)) return 'no_length'
  return { first: 0, last: Number(length) - 1, total: Number(length) }
}

const CONDITIONS = new Set([
  'range',
  'if-range',
  'if-match',
  'if-none-match',
  'if-modified-since',
  'if-unmodified-since',
])
