import { ProxyError, type RetryCondition } from '../../errors.ts'
import { type BackoffSettings, nominalWaitMs, retryAfterMs, waitMs } from './backoff.ts'
import { anyAdmits, type Breaker } from '../breaker/breaker.ts'
import { type Budget, type BudgetSettings, deposit, withdraw } from './budget.ts'
import type { RetryDenial } from '../../events.ts'
import type { Exchange, Layer, Reply } from '../exchange.ts'
import type { Deps } from '../../deps.ts'

export type RetryRules = {
  /** Attempts, including the first. */
  readonly attempts: number
  readonly conditions: ReadonlySet<RetryCondition>
  readonly statuses: ReadonlySet<number>
  readonly backoff: BackoffSettings
  readonly respectRetryAfter: boolean
  readonly budget: BudgetSettings
}

/** Result of an attempt: the upstream's response, or the error. */
type Outcome = { readonly reply: Reply } | { readonly error: ProxyError }

/** Settings and state that decide on a route's retries. */
type Rules = {
  readonly settings: RetryRules
  readonly budget: Budget
  readonly breakers: readonly Breaker[]
  readonly deps: Deps
}

/**
 * Retries failed attempts within the schedule, the budget and the deadline. When it stops, the client gets the result of the
 * last attempt: an upstream's response is relayed unchanged. A client that leaves ends a wait at once; so does the last breaker
 * that stops admitting.
 * @param elsewhere whether an untried endpoint admits the exchange. Then the retry does not wait, since the wait is meant to
 * spare the endpoint that failed (as in HAProxy's redispatch and nginx's next upstream).
 */
export const retrying = (
  settings: RetryRules,
  budget: Budget,
  breakers: readonly Breaker[],
  elsewhere: (exchange: Exchange) => boolean,
  deps: Deps,
): Layer => {
  const rules: Rules = { settings, budget, breakers, deps }
  return (next) => async (exchange) => {
    deposit(budget, deps.clock.now(), settings.budget)
    let last: Outcome | undefined
    let waits = 0
    for (let k = 1; ; k += 1) {
      exchange.attemptTimeoutMs = attemptTimeout(k, waits + 1, exchange, rules)
      let outcome: Outcome
      try {
        const reply = await next(exchange)
        if (!settings.statuses.has(reply.status)) return reply
        outcome = { reply }
      } catch (error) {
        if (!(error instanceof ProxyError)) throw error
        outcome = { error }
      }
      if (last !== undefined && refusedByUs(outcome)) return conclude(last)
      last = outcome
      const cause = causeToRepeat(outcome, settings)
      if (cause === undefined) return conclude(outcome)
      let denial = whyNot(k, outcome, exchange, settings)
      if (denial === undefined) {
        const isElsewhere = elsewhere(exchange)
        if (!isElsewhere) waits += 1
        const ms = isElsewhere ? 0 : waitBefore(waits, outcome, rules)
        denial = await untilRepeatable(ms, cause, outcome, exchange, rules)
      }
      if (denial !== undefined) {
        deps.emit({ kind: 'retry_denied', ref: exchange.route, why: denial, trace: exchange.trace })
        return conclude(outcome)
      }
      if ('reply' in outcome && !outcome.reply.ended) {
        outcome.reply.discard('cancelled')
        last = undefined
      }
    }
  }
}

/**
 * Waits until the next attempt may start.
 * @param ms 0 for no wait.
 * @returns the reason when it may not start; without a wait when that is known before.
 */
async function untilRepeatable(
  ms: number,
  cause: string,
  last: Outcome,
  exchange: Exchange,
  rules: Rules,
): Promise<RetryDenial | undefined> {
  const { settings, budget, breakers, deps } = rules
  const now = deps.clock.now()
  if (now + ms >= exchange.deadlineAt) return 'deadline'
  if (!anyAdmits(breakers, deps)) return 'breaker'
  if (!withdraw(budget, now, settings.budget)) return 'budget'
  deps.emit({ kind: 'retry', ref: exchange.route, cause, waitMs: ms, trace: exchange.trace })
  if (ms > 0) await pause(ms, last, exchange, rules)
  return anyAdmits(breakers, deps) ? undefined : 'breaker'
}

/** Whether the sidecar itself refused the retry. The client then gets the attempt before it, which says more. */
const refusedByUs = (outcome: Outcome) => 'error' in outcome && outcome.error.fault.whose === 'sidecar'

function conclude(outcome: Outcome): Reply {
  if ('error' in outcome) throw outcome.error
  return outcome.reply
}

/** The status or fault that `on` names; undefined when `on` does not name the outcome. */
function causeToRepeat(outcome: Outcome, settings: RetryRules): string | undefined {
  if ('reply' in outcome) return settings.statuses.has(outcome.reply.status) ? String(outcome.reply.status) : undefined
  return settings.conditions.has(outcome.error.fault.retry) ? outcome.error.code : undefined
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

function waitBefore(k: number, last: Outcome, { settings, deps }: Rules): number {
  const scheduled = waitMs(k, settings.backoff, deps.random)
  if (!settings.respectRetryAfter || !('reply' in last)) return scheduled
  return Math.max(scheduled, retryAfterMs(last.reply.headers, deps.clock.wallNow()))
}

/** The last attempt that fits into the deadline gets all the time that is left, since it may still succeed (as in Linkerd). */
function attemptTimeout(k: number, wait: number, exchange: Exchange, { settings, deps }: Rules): number {
  const { attemptMs } = exchange.timeouts
  const mayRepeat = k < settings.attempts && exchange.idempotent && exchange.body?.replayable !== false
  if (!mayRepeat) return attemptMs
  const nextStartsAt = deps.clock.now() + attemptMs + nominalWaitMs(wait, settings.backoff)
  return nextStartsAt < exchange.deadlineAt ? attemptMs : Number.POSITIVE_INFINITY
}

/** Ends early when no breaker admits any more. Rejects when the client leaves, and discards the reply of the last attempt. */
function pause(ms: number, last: Outcome, exchange: Exchange, { breakers, deps }: Rules): Promise<void> {
  const { clock } = deps
  return new Promise((resolve, reject) => {
    const since = clock.now()
    const end = () => {
      clock.cancel(timer)
      for (const { onOpen } of breakers) onOpen.delete(onOpened)
      exchange.client.unlisten(onGone)
      exchange.spent.backoffMs += clock.now() - since
    }
    const onTime = () => {
      end()
      resolve()
    }
    const onOpened = () => {
      if (!anyAdmits(breakers, deps)) onTime()
    }
    const onGone = () => {
      end()
      if ('reply' in last) last.reply.discard('cancelled')
      reject(new ProxyError('client_gone'))
    }
    const timer = clock.after(ms, onTime)
    if (exchange.client.gone) return onGone()
    for (const { onOpen } of breakers) onOpen.add(onOpened)
    exchange.client.listen(onGone)
  })
}
