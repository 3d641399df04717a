/** What the policies go by, from what the configuration says. */

import type {
  Breaker as BreakerConfig,
  Retry,
  RouteConfig,
  Timeouts as TimeoutConfig,
  UpstreamConfig,
} from '../config/schema.ts'
import { computedMs, type Inputs, type TimeoutRules } from '../job/timeouts.ts'
import type { BreakerSettings } from '../policy/breaker/breaker.ts'
import type { Timeouts } from '../policy/exchange.ts'
import type { HedgeSettings } from '../policy/hedge/hedge.ts'
import type { LimitSettings } from '../policy/limit/limit.ts'
import type { ObservedSettings } from '../policy/observe/observe.ts'
import type { PipelineSettings } from '../policy/pipeline.ts'
import type { RetrySettings } from '../policy/retry/retry.ts'
import type { Route } from '../proxy/route.ts'

/** What a route's requests are done with; the requests that match no route have the upstream's. */
export type RouteSettings = Omit<RouteConfig, 'match' | 'breaker'>

export function pipelineSettings(upstream: UpstreamConfig, route: RouteSettings): PipelineSettings {
  const { concurrency, balance } = upstream
  const { hold, collapse, timeout } = route
  const retry = retrySettings(route.retry, upstream.retry)
  return {
    concurrency: { queue: concurrency.queue, queueTimeoutMs: concurrency.queueTimeout },
    retry,
    connections: connectionLimit(upstream),
    balance: { decayMs: balance.decay, slowStartMs: balance.slowStart },
    rate: paceSettings(upstream.rate),
    hold: hold ? { json: hold.json, pending: new Set(hold.in), upToMs: hold.upTo, everyMs: hold.every } : undefined,
    collapse: collapse
      ? {
          headers: collapse === true ? undefined : new Set(collapse.headers.map((name) => name.toLowerCase())),
          maxBodyBytes: route.retry.bodyBuffer.memory,
        }
      : undefined,
    hedge: hedgeSettings(route, retry),
    observed: observedSettings(timeout.attempt),
    resume: route.resume,
  }
}

/** Without a limit of its own, a wait for the rate is bounded by the exchange's deadline alone. */
const paceSettings = (rate: UpstreamConfig['rate']) =>
  rate === false ? undefined : { queueTimeoutMs: rate.queueTimeout ?? Number.POSITIVE_INFINITY }

export const rateOf = (rate: UpstreamConfig['rate']) =>
  rate === false ? undefined : { requests: rate.requests, perMs: rate.per }

/** An attempt waits for a connection as long as an exchange does for its slot; the concurrency limit bounds how many. */
const connectionLimit = ({ concurrency }: UpstreamConfig): LimitSettings => ({
  queue: concurrency.max,
  queueTimeoutMs: concurrency.queueTimeout,
})

const retrySettings = (retry: Retry, upstreamRetry: Retry): RetrySettings => ({
  attempts: retry.attempts,
  conditions: new Set(retry.on.filter((on) => on === 'connect-failure' || on === 'reset' || on === 'timeout')),
  statuses: statusSet(retry.on),
  backoff: {
    initialMs: retry.backoff.initial,
    factor: retry.backoff.factor,
    maxMs: retry.backoff.max,
    jitter: retry.backoff.jitter,
  },
  respectRetryAfter: retry.respectRetryAfter,
  budget: budgetOf(upstreamRetry),
})

export const budgetOf = ({ budget }: Retry) => ({
  ratio: budget.ratio,
  minPerSecond: budget.minPerSecond,
  windowMs: budget.window,
})

function hedgeSettings({ hedge }: RouteSettings, { statuses, budget }: RetrySettings): HedgeSettings | undefined {
  if (hedge === false) return undefined
  return { afterMs: hedge.after === 'p95' ? undefined : hedge.after, max: hedge.max, poor: statuses, budget }
}

function observedSettings(attempt: TimeoutConfig['attempt']): ObservedSettings | undefined {
  if (typeof attempt === 'number' || !('observed' in attempt)) return undefined
  return { quantile: Number(attempt.observed.slice(1)) / 100, times: attempt.times, minMs: attempt.min }
}

export function breakerSettings(config: BreakerConfig): BreakerSettings {
  const { failureRate, slowCalls } = config
  return {
    consecutiveFailures: config.consecutiveFailures,
    failureRate: failureRate && { ...failureRate, windowMs: failureRate.window },
    slowCalls: slowCalls && { ...slowCalls, windowMs: slowCalls.window, slowerThanMs: slowCalls.slowerThan },
    openForMs: config.openFor,
    openForMaxMs: config.openForMax,
    halfOpenProbes: config.halfOpenProbes,
    closeAfter: config.closeAfter,
    failureStatuses: statusSet(config.failureStatus),
  }
}

/** Fixed ones are made once; computed ones for each request, from its job's inputs. */
export function timeoutsOf({ connect, attempt, total, idle }: TimeoutConfig, rules: TimeoutRules): Route['timeouts'] {
  const limit = typeof attempt !== 'number' && 'observed' in attempt ? attempt.max : attempt
  const all = (inputs: Inputs): Timeouts => ({
    connectMs: lengthOf(connect, rules, inputs),
    attemptMs: lengthOf(limit, rules, inputs),
    totalMs: lengthOf(total, rules, inputs),
    idleMs: lengthOf(idle, rules, inputs),
  })
  const isFixed = [connect, limit, total, idle].every((length) => typeof length === 'number')
  return isFixed ? all({}) : all
}

const lengthOf = (length: TimeoutConfig['total'], rules: TimeoutRules, inputs: Inputs) =>
  typeof length === 'number' ? length : computedMs(length.computed, length.divideBy, rules, inputs)

/** Statuses named one by one or by class: `503`, `5xx`. */
function statusSet(named: readonly (string | number)[]): ReadonlySet<number> {
  const classes = named.filter((name) => typeof name === 'string' && /^[1-5]xx$/.test(name)).map(String)
  const ofClasses = classes.flatMap((name) => Array.from({ length: 100 }, (_, i) => Number(name[0]) * 100 + i))
  return new Set([...ofClasses, ...named.filter((name) => typeof name === 'number')])
}
