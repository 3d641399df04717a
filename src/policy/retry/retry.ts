import { ProxyError, type RetryCondition } from '../../errors.ts'
import { type BackoffSettings, nominalWaitMs, retryAfterMs, waitMs } from './backoff.ts'
import type { Breaker } from '../breaker/breaker.ts'
import { isOutOfReach } from '../breaker/patience.ts'
import { type Budget, type BudgetSettings, deposit, retriesLeft, withdraw } from './budget.ts'
import type { RetryDenial } from '../../events.ts'
import { type Exchange, type Layer, type Reply, spoil } from '../exchange.ts'
import type { Deps } from '../../deps.ts'
import { firstField } from '../../net/fields.ts'
import { isInTime, usefulUntil } from '../paths/useful.ts'
import { WholeReply, wholeBody } from '../whole.ts'
import { endOf, faultIn, mayBeHeldBack } from './arrival.ts'

export type RetryRules = {
  /** Attempts, including the first. */
  readonly attempts: number
  readonly conditions: ReadonlySet<RetryCondition>
  readonly statuses: ReadonlySet<number>
  readonly backoff: BackoffSettings
  readonly respectRetryAfter: boolean
  readonly budget: BudgetSettings
  /** Largest number of requests of the upstream in a back-off. */
  readonly waiting: number
}

/** Requests of an upstream that are in a back-off. */
export type Backoffs = { waiting: number }

/** Result of an attempt: the upstream's response, or the error. `held`: a response of which the error is that of its body. */
type Outcome = { readonly reply: Reply } | { readonly error: ProxyError; readonly held?: Reply }

/** Settings and state that decide on a route's retries. */
type Rules = {
  readonly settings: RetryRules
  readonly budget: Budget
  readonly backoffs: Backoffs
  /** Longest wait of a request for an open breaker, in ms. */
  readonly patienceMs: number
  readonly breakers: readonly Breaker[]
  /** Largest response body that policies read. */
  readonly inspectBytes: number
  /** Whether a response body that breaks off is resumed instead. */
  readonly isResumable: (reply: Reply) => boolean
  readonly deps: Deps
}

/** Time in ms for which it is remembered that calls may take longer than `attempt`. */
const SLOW_FOR_MS = 5 * 60_000
/** Bytes of a failed response that are kept during a back-off, and the time in ms that they may take to arrive. */
const KEPT_BYTES = 64 * 1024
const KEPT_WITHIN_MS = 250

/**
 * Retries failed attempts within the schedule, the budget and the deadline. When it stops, the client gets the result of the
 * last attempt: an upstream's response is relayed unchanged. In its back-off a request holds nothing: no slot, since it takes
 * its turn anew, and no connection. A client that leaves ends a wait at once; so does a breaker that opens for longer than the
 * request may wait.
 * @param elsewhere whether an untried endpoint admits the exchange. Then the retry does not wait, since the wait is meant to
 * spare the endpoint that failed (as in HAProxy's redispatch and nginx's next upstream).
 */
export const retrying =
  (rules: Rules, elsewhere: (exchange: Exchange) => boolean): Layer =>
  (next) =>
  async (exchange) => {
    const { settings, budget, deps } = rules
    deposit(budget, deps.clock.now(), settings.budget)
    let last: Outcome | undefined
    let waits = 0
    let timedOut = false
    let isUnanswered = false
    for (let k = 1; ; k += 1) {
      exchange.attemptTimeoutMs = boundOf(exchange.timeouts.attemptMs, k, waits + 1, timedOut, exchange, rules)
      let outcome: Outcome
      try {
        const reply = await next(exchange)
        outcome = { reply }
        if (reply.status < 400) noteSlow(exchange, deps)
        if (!isRepeated(reply, exchange, isUnanswered, settings)) {
          if (!isHeldBack(k, reply, exchange, rules)) return reply
          const { attemptMs, idleMs } = exchange.timeouts
          const stallMs = boundOf(Math.min(attemptMs, idleMs), k, waits + 1, timedOut, exchange, rules)
          const error = await faultIn(reply, stallMs, exchange, deps.clock)
          if (error === undefined) return reply
          outcome = { error, held: reply }
        }
      } catch (error) {
        if (!(error instanceof ProxyError)) throw error
        outcome = { error }
        if (timedOut && error.code === 'total_timeout') noteSlow(exchange, deps)
      }
      timedOut ||= 'error' in outcome && outcome.error.fault.retry === 'timeout'
      isUnanswered ||= timedOut || ('error' in outcome && outcome.error.fault.retry === 'reset')
      if (last !== undefined && refusedByUs(outcome)) return conclude(last)
      const cause = causeToRepeat(outcome, exchange, isUnanswered, settings)
      if (cause === undefined) return conclude(outcome)
      let denial = whyNot(k, outcome, exchange, settings)
      if (denial === undefined) {
        const isElsewhere = elsewhere(exchange)
        if (!isElsewhere) waits += 1
        const now = deps.clock.now()
        const ms = isElsewhere ? 0 : waitBefore(waits, outcome, now, exchange, rules)
        denial = isElsewhere || ms > 0 ? whyNotAfter(ms, now, exchange, rules) : 'deadline'
        if (denial === undefined) {
          const since = deps.clock.now()
          last = await kept(outcome, exchange, rules)
          deps.emit({ kind: 'retry', ref: exchange.route, cause, waitMs: ms, trace: exchange.trace })
          if (ms > 0) denial = await pause(since + ms - deps.clock.now(), last, exchange, rules)
          if (denial !== undefined) outcome = last ?? outcome
        }
      }
      if (denial !== undefined) {
        exchange.retryDenied = denial
        deps.emit({ kind: 'retry_denied', ref: exchange.route, why: denial, trace: exchange.trace })
        return conclude(outcome)
      }
    }
  }

/**
 * Whether a wait of that length must not begin.
 * @param ms 0 for no wait.
 */
function whyNotAfter(
  ms: number,
  now: number,
  exchange: Exchange,
  { settings, budget, backoffs, breakers, patienceMs, deps }: Rules,
): RetryDenial | undefined {
  if (deps.isDraining()) return 'draining'
  const untilAt = ms > 0 ? usefulUntil(exchange, now) : exchange.deadlineAt
  // Sums of floats: a wait that was cut to the last useful moment may end a rounding error after it.
  if (now + ms > untilAt + 1e-6 || untilAt <= now) return 'deadline'
  if (isOutOfReach(breakers, now + ms, patienceMs, exchange, deps)) return 'breaker'
  if (ms > 0 && backoffs.waiting >= settings.waiting) return 'waiting'
  return withdraw(budget, now, settings.budget) ? undefined : 'budget'
}

/**
 * The outcome without a connection: a response is read whole, when it is small and arrives soon. Larger ones are given up.
 * @returns undefined when nothing of the outcome can be relayed any more.
 */
async function kept(outcome: Outcome, exchange: Exchange, { deps }: Rules): Promise<Outcome | undefined> {
  if (!('reply' in outcome)) return givenUp(outcome, exchange, deps)
  const { reply } = outcome
  const timer = deps.clock.after(KEPT_WITHIN_MS, () => reply.discard('cancelled'))
  try {
    const body = await wholeBody(reply, KEPT_BYTES, exchange, deps.clock)
    if (body !== undefined) return { reply: new WholeReply(reply, body) }
    reply.discard('cancelled')
    return undefined
  } catch (error) {
    if (error instanceof ProxyError) return undefined
    throw error
  } finally {
    deps.clock.cancel(timer)
  }
}

/** Gives up a response whose body broke off or stalled. The endpoint is judged by it as if it had been relayed so far. */
function givenUp({ error, held }: Extract<Outcome, { error: ProxyError }>, exchange: Exchange, deps: Deps): Outcome {
  if (held === undefined) return { error }
  held.discard(error.whose === 'sidecar' ? 'cancelled' : error.code)
  spoil(exchange, held.status, error.code, deps.clock.now())
  deps.emit({ kind: 'body_failed', ref: exchange.route, end: error.code })
  return { error }
}

/** Whether the sidecar itself refused the retry. The client then gets the attempt before it, which says more. */
const refusedByUs = (outcome: Outcome) => 'error' in outcome && outcome.error.fault.whose === 'sidecar'

function conclude(outcome: Outcome): Reply | Promise<Reply> {
  if ('reply' in outcome) return outcome.reply
  // What came of it is worth more than the sidecar's own words, and a body that stalled may go on.
  if (outcome.held !== undefined) return outcome.held
  return Promise.reject(outcome.error)
}

/**
 * Whether a good response is held back until its body is whole: another attempt could follow, and its client could not do much
 * with the head alone. One that is whole already, as most are, is none of them.
 */
function isHeldBack(
  k: number,
  reply: Reply,
  exchange: Exchange,
  { settings, inspectBytes, isResumable, deps }: Rules,
): boolean {
  if (endOf(reply) === 'complete') return false
  const mayRepeat = settings.conditions.has('timeout') || settings.conditions.has('reset')
  if (!mayRepeat || whyNot(k, { reply }, exchange, settings) !== undefined) return false
  return !deps.isDraining() && mayBeHeldBack(reply, exchange, inspectBytes) && !isResumable(reply)
}

/** The status or fault that `on` names; undefined when `on` does not name the outcome. */
function causeToRepeat(
  outcome: Outcome,
  exchange: Exchange,
  isUnanswered: boolean,
  settings: RetryRules,
): string | undefined {
  if ('reply' in outcome) {
    const { reply } = outcome
    return isRepeated(reply, exchange, isUnanswered, settings) ? String(reply.status) : undefined
  }
  return settings.conditions.has(outcome.error.fault.retry) ? outcome.error.code : undefined
}

const isRepeated = (reply: Reply, exchange: Exchange, isUnanswered: boolean, { statuses }: RetryRules) =>
  statuses.has(reply.status) || isInProgress(reply, exchange, isUnanswered)

/**
 * Whether a 409 says that the upstream still works on the earlier attempt, which the sidecar gave up: so it answers a repetition of
 * an Idempotency-Key meanwhile (draft-ietf-httpapi-idempotency-key-header). Its client would not have met it.
 */
const isInProgress = ({ status }: Reply, { headers }: Exchange, isUnanswered: boolean) =>
  isUnanswered && status === 409 && firstField(headers, 'idempotency-key') !== undefined

/**
 * Remembers that calls of the group may take longer than `attempt`: one has, or one had no answer in any of its attempts and might
 * have had it in a longer one.
 */
function noteSlow({ group, headMs = 0, timeouts }: Exchange, { clock }: Deps): void {
  if (headMs > timeouts.attemptMs) group.slowUntil = clock.now() + SLOW_FOR_MS
}

/** Why an outcome that `on` names must not be retried, given the request and how far it got. */
function whyNot(k: number, last: Outcome, exchange: Exchange, settings: RetryRules): RetryDenial | undefined {
  if (k >= settings.attempts) return 'attempts'
  const nothingSent = 'error' in last && last.error.fault.retry === 'connect-failure'
  if (!exchange.idempotent && !nothingSent) return 'method'
  if ('reply' in last && last.reply.early) return 'early_response'
  if (exchange.body !== undefined && !exchange.body.replayable) return 'body'
  return undefined
}

/**
 * The time to wait before the k-th retry. A wait of the schedule that would end too late is cut to the last moment at which a try
 * is of use; a Retry-After is not, since the upstream would refuse that try.
 */
function waitBefore(k: number, last: Outcome, now: number, exchange: Exchange, { settings, deps }: Rules): number {
  const { clock, random } = deps
  const scheduled = waitMs(k, settings.backoff, random)
  const asked = settings.respectRetryAfter && 'reply' in last ? retryAfterMs(last.reply.headers, clock.wallNow()) : 0
  if (asked > 0 && asked >= scheduled) return asked * (1 + settings.backoff.jitter * random())
  return Math.min(scheduled, Math.max(asked, usefulUntil(exchange, now) - now))
}

/**
 * `attempt` (and `idle`, for a body that is held back) bounds an attempt only where another one could follow it; the only or the last one gets all the time that is left, as in
 * Linkerd. After an attempt that timed out, another one could follow only with as much time again: of a call that is slow as a
 * rule, one attempt must get the time that the client gives. Where calls are known to be slow, none is cut.
 */
function boundOf(
  limitMs: number,
  k: number,
  wait: number,
  timedOut: boolean,
  exchange: Exchange,
  { settings, budget, deps }: Rules,
): number {
  const mayFollow =
    k < settings.attempts &&
    settings.conditions.has('timeout') &&
    exchange.idempotent &&
    exchange.body?.replayable !== false &&
    retriesLeft(budget, deps.clock.now(), settings.budget) >= 1
  if (!mayFollow) return Number.POSITIVE_INFINITY
  const now = deps.clock.now()
  if (exchange.group.slowUntil > now) return Number.POSITIVE_INFINITY
  const endsAt = now + limitMs
  const hasTime = timedOut
    ? endsAt + nominalWaitMs(wait, settings.backoff) + limitMs <= exchange.deadlineAt
    : isInTime(endsAt, exchange, now)
  return hasTime ? limitMs : Number.POSITIVE_INFINITY
}

/**
 * Waits. Ends early when the breakers open for longer than the request may wait. Rejects when the client leaves.
 * @returns why the attempt after the wait must not be made.
 */
function pause(
  ms: number,
  last: Outcome | undefined,
  exchange: Exchange,
  { breakers, backoffs, patienceMs, deps }: Rules,
): Promise<RetryDenial | undefined> {
  const { clock } = deps
  return new Promise((resolve, reject) => {
    const since = clock.now()
    const end = () => {
      clock.cancel(timer)
      for (const { onChange } of breakers) onChange.delete(onOpened)
      exchange.client.unlisten(onGone)
      backoffs.waiting -= 1
      exchange.spent.backoffMs += clock.now() - since
    }
    const onTime = () => {
      end()
      resolve(undefined)
    }
    const onOpened = () => {
      if (last === undefined || !isOutOfReach(breakers, since + ms, patienceMs, exchange, deps)) return
      end()
      resolve('breaker')
    }
    const onGone = () => {
      end()
      reject(new ProxyError('client_gone'))
    }
    const timer = clock.after(ms, onTime)
    backoffs.waiting += 1
    if (exchange.client.gone) return onGone()
    for (const { onChange } of breakers) onChange.add(onOpened)
    exchange.client.listen(onGone)
    // A response that was given up for the wait may have opened them.
    onOpened()
  })
}
