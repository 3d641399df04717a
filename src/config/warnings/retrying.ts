/** Retries that never happen, that multiply, or that repeat what repeating cannot mend. */

import { startsMs } from '../../policy/retry/backoff.ts'
import { writtenBytes, writtenMs } from '../kinds/units.ts'
import { backoffOf, isRepeatable, type RouteScope, type Rules, type UpstreamScope } from './rule.ts'

/** Calls that one request may become before it is worth a word: make-video's own four tries make 32 of them. */
const MANY_CALLS = 8
/** What all the bodies kept for a repetition may take of the memory before it is worth a word. */
const MUCH_MEMORY = 2 ** 30
/** Client errors that another attempt may well mend (RFC 9110 section 15.5, RFC 8470, RFC 6585). */
const PASSING = new Set<string | number>([408, 425, 429])

export const isClientError = (status: string | number) =>
  !PASSING.has(status) && (status === '4xx' || (typeof status === 'number' && status < 500))

/** As many attempts as the deadline allows where each fails at once. */
const mostAttempts = ({ route, lengths }: RouteScope, stretch: number) =>
  startsMs(route.retry.attempts, 0, backoffOf(route.retry), stretch, lengths.total).length

export const RETRYING: Rules<RouteScope> = {
  'retries-never-finish': (scope) => {
    const { route, lengths, said } = scope
    const { attempts, backoff } = route.retry
    const fit = mostAttempts(scope, 1 - backoff.jitter)
    // That the last of the default attempts needs a longer total is no mistake of who did not say how many.
    const isMeant = said('retry.attempts') || said('retry.backoff')
    const isByDefault = attempts === 5 && backoff.initial === 2_000 && backoff.factor === 2
    if (fit >= attempts || (fit > 1 && (!isMeant || isByDefault))) return undefined
    return {
      at: ['retry.backoff.initial', 'retry.attempts', 'timeout.total'],
      reason: `of ${attempts} attempts no more than ${fit} can start within a total of ${writtenMs(lengths.total)}, even when each fails at once: the waits between them are too long`,
      fix: `attempts: ${fit}, a shorter backoff, or a longer total`,
    }
  },

  'timeouts-never-retried': ({ route: { retry }, lengths }) => {
    const again = lengths.attempt + retry.backoff.initial * (1 - retry.backoff.jitter)
    const isAsked = retry.attempts > 1 && retry.on.includes('timeout')
    if (!isAsked || lengths.attempt >= lengths.total || again < lengths.total) return undefined
    return {
      at: ['timeout.attempt', 'timeout.total', 'retry.backoff.initial'],
      reason: `an attempt that times out ends after ${writtenMs(lengths.attempt)}, and the next would start ${writtenMs(retry.backoff.initial)} later: total is over by then`,
      fix: `an attempt of half of total (${writtenMs(lengths.total)}) or less; or equal to it where one long attempt is meant`,
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
    const { route, match, said } = scope
    if (match === undefined || isRepeatable(scope) !== false || route.retry.attempts === 1 || said('idempotent')) return
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
    const { memory, disk } = scope.route.retry.bodyBuffer
    const carries = /^(POST|PUT|PATCH) /.test(scope.match ?? '')
    if (memory + disk > 0 || !carries || isRepeatable(scope) !== true || scope.route.retry.attempts === 1) return
    return {
      at: ['retry.bodyBuffer.memory', 'retry.bodyBuffer.disk'],
      reason: 'no byte of a request body is kept: what has one is never sent again, though the route allows it',
      fix: 'bodyBuffer: { memory: 1MiB, disk: 256MiB }, or what the largest body needs',
    }
  },

  'resume-never-tries': ({ route }) =>
    !route.resume || route.retry.attempts > 1
      ? undefined
      : {
          at: ['retry.attempts', 'resume'],
          reason: 'a download that breaks off is not gone on with: attempts bounds that, too, the first one included',
          fix: 'attempts: 3 or more on this route',
        },
}

export const LOAD: Rules<UpstreamScope> = {
  'no-retry-budget': ({ upstream: { retry } }) => {
    const { ratio, minPerSecond, window } = retry.budget
    if (ratio > 0 || (minPerSecond * window) / 1000 >= 1 || retry.attempts === 1) return undefined
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
    const most = retry.bodyBuffer.memory * concurrency.max
    if (most <= MUCH_MEMORY) return undefined
    return {
      at: ['retry.bodyBuffer.memory', 'concurrency.max'],
      reason: `${concurrency.max} requests at once may keep ${writtenBytes(most)} of bodies in memory: the process is killed before that`,
      fix: 'a memory of 1MiB: what is larger goes to disk',
    }
  },
}
