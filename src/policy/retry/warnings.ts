/** Retries that never happen, that multiply, or that cannot help. */

import { writtenBytes, writtenMs } from '../../config/kinds/units.ts'
import type { ConcurrencySettings } from '../concurrency/settings.ts'
import type { HedgeSettings } from '../hedge/settings.ts'
import type { RouteScope, Rules, UpstreamScope } from '../scope.ts'
import { startsMs } from './backoff.ts'
import { isClientError } from './client-error.ts'
import { isRouteRepeatable } from './repeatable.ts'
import type { RetryBudget, RetryRoute, RetrySettings } from './settings.ts'

type Scope = RouteScope<RetrySettings & HedgeSettings>

/** Calls per request above which `retries-multiply` warns. make-video's own four tries make 32 calls of them. */
const MANY_CALLS = 8
/** Memory for kept bodies above which `bodies-fill-memory` warns, in bytes. */
const MUCH_MEMORY = 2 ** 30
/** Attempts that fit into the deadline when each fails at once. */
const mostAttempts = ({ route, lengths }: Scope, stretch: number) =>
  startsMs(
    route.retry.attempts,
    { eachMs: 0, usefulMs: lengths.usefulMs },
    route.retry.backoff,
    stretch,
    lengths.totalMs,
  ).length

export const RETRY_WARNINGS: Rules<Scope> = {
  'retries-never-finish': (scope) => {
    const { route, lengths, isWritten } = scope
    const { attempts, backoff } = route.retry
    const fit = mostAttempts(scope, 1 - backoff.jitter)
    // The default attempts do not all fit into the default total. That is no mistake of a file that sets neither.
    const isMeant = isWritten('retry.attempts') || isWritten('retry.backoff')
    const isByDefault = attempts === 5 && backoff.initialMs === 2_000 && backoff.factor === 2
    if (fit >= attempts || (fit > 1 && (!isMeant || isByDefault))) return undefined
    return {
      at: ['retry.backoff.initial', 'retry.attempts', 'timeout.total'],
      reason: `of ${attempts} attempts no more than ${fit} can start within a total of ${writtenMs(lengths.totalMs)}, even when each fails at once: the waits between them are too long`,
      fix: `attempts: ${fit}, a shorter backoff, or a longer total`,
    }
  },

  'timeouts-never-retried': ({ route: { retry }, lengths }) => {
    const again = lengths.attemptMs + retry.backoff.initialMs * (1 - retry.backoff.jitter)
    const isAsked = retry.attempts > 1 && retry.on.includes('timeout')
    if (!isAsked || lengths.attemptMs >= lengths.totalMs || again < lengths.totalMs) return undefined
    return {
      at: ['timeout.attempt', 'timeout.total', 'retry.backoff.initial'],
      reason: `an attempt that times out ends after ${writtenMs(lengths.attemptMs)}, and the next would start ${writtenMs(retry.backoff.initialMs)} later: total is over by then`,
      fix: `an attempt of half of total (${writtenMs(lengths.totalMs)}) or less; or equal to it where one long attempt is meant`,
    }
  },

  'retries-multiply': (scope) => {
    const { hedge, retry } = scope.route
    const attempts = mostAttempts(scope, 1 - retry.backoff.jitter)
    const calls = attempts * (hedge === false ? 1 : 1 + hedge.max)
    if (calls <= MANY_CALLS) return undefined
    const beside = hedge === false ? '' : `, each with up to ${hedge.max} beside it`
    return {
      at: hedge === false ? ['retry.attempts', 'retry.backoff.initial'] : ['hedge', 'retry.attempts'],
      reason: `one request may become ${calls} calls (${attempts} attempts${beside}); a client that tries four times itself makes that ${4 * calls}, for an upstream that is in trouble already`,
      fix: 'fewer attempts, with longer waits between them',
    }
  },

  'never-repeated': (scope) => {
    const { route, match, isWritten } = scope
    if (
      match === undefined ||
      isRouteRepeatable(scope) !== false ||
      route.retry.attempts === 1 ||
      isWritten('idempotent')
    )
      return
    return {
      at: ['match'],
      reason: `${match.split(' ')[0]} is no method that is safe to repeat: its requests are tried again only where nothing of them had been sent, or when they carry Idempotency-Key`,
      fix: 'idempotent: true where the upstream answers a repetition with the same result; idempotent: false says that this is meant',
    }
  },

  'client-errors-retried': ({ route: { retry } }) => {
    const wrong = retry.on.filter(isClientError)
    if (wrong.length === 0 || retry.attempts === 1) return undefined
    return {
      at: ['retry.on'],
      reason: `${wrong.join(', ')} says that the request is wrong: it is as wrong the next time, and the client waits for nothing`,
      fix: `without ${wrong.join(', ')}; 408, 425 and 429 may pass`,
    }
  },

  'no-jitter': ({ route: { retry } }) =>
    retry.attempts === 1 || retry.backoff.jitter > 0
      ? undefined
      : {
          at: ['retry.backoff.jitter'],
          reason: 'clients that failed together come back together, in step, until one of them gives up',
          fix: 'jitter: 0.1 or more',
        },

  'retry-after-ignored': ({ route: { retry } }) =>
    retry.attempts === 1 || retry.respectRetryAfter
      ? undefined
      : {
          at: ['retry.respectRetryAfter'],
          reason: 'an upstream that says when to come back is called before that, and says so again',
          fix: 'respectRetryAfter: true; a wait that ends past the deadline is not waited for',
        },

  'body-never-kept': (scope) => {
    const { memoryBytes, diskBytes } = scope.route.retry.bodyBuffer
    const carries = /^(POST|PUT|PATCH) /.test(scope.match ?? '')
    if (
      memoryBytes + diskBytes > 0 ||
      !carries ||
      isRouteRepeatable(scope) !== true ||
      scope.route.retry.attempts === 1
    )
      return
    return {
      at: ['retry.bodyBuffer.memory', 'retry.bodyBuffer.disk'],
      reason: 'no byte of a request body is kept: what has one is never sent again, though the route allows it',
      fix: 'bodyBuffer: { memory: 1MiB, disk: 256MiB }, or what the largest body needs',
    }
  },
}

export const LOAD_WARNINGS: Rules<UpstreamScope<RetryRoute & RetryBudget & ConcurrencySettings>> = {
  'no-retry-budget': ({ upstream: { retry } }) => {
    const { ratio, minPerSecond, windowMs } = retry.budget
    if (ratio > 0 || (minPerSecond * windowMs) / 1000 >= 1 || retry.attempts === 1) return undefined
    return {
      at: ['retry.budget.minPerSecond', 'retry.budget.ratio'],
      reason: 'the budget never has a retry to give: every failure goes to the client at once',
      fix: 'budget: { ratio: 0.2, minPerSecond: 3, window: 10s }; attempts: 1 where no retry is meant',
    }
  },

  'budget-too-generous': ({ upstream: { retry } }) =>
    retry.budget.ratio <= 0.5 || retry.attempts === 1
      ? undefined
      : {
          at: ['retry.budget.ratio'],
          reason: `while the upstream fails it gets up to ${Math.round(retry.budget.ratio * 100)} % more requests than its clients make: that is what keeps it down`,
          fix: 'ratio: 0.2, and minPerSecond for an upstream with little traffic',
        },

  'bodies-fill-memory': ({ upstream: { retry, concurrency } }) => {
    const most = retry.bodyBuffer.memoryBytes * concurrency.max
    if (most <= MUCH_MEMORY) return undefined
    return {
      at: ['retry.bodyBuffer.memory', 'concurrency.max'],
      reason: `${concurrency.max} requests at once may keep ${writtenBytes(most)} of bodies in memory: the process is killed before that`,
      fix: 'a memory of 1MiB: what is larger goes to disk',
    }
  },
}
