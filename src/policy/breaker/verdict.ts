/** Judges the upstream by the end of an attempt. */

import type { Clock } from '../../clock.ts'
import { type FaultCode, faultOf, isDeadline, ProxyError } from '../../errors.ts'
import type { BodyEnd } from '../../events.ts'
import type { Exchange, Reply } from '../exchange.ts'
import { usefulMs, usualMs } from '../paths/useful.ts'
import { retryAfterMs } from '../retry/backoff.ts'
import type { CircuitSettings } from './circuit.ts'
import type { Verdict } from './settle.ts'

export type BreakerRules = CircuitSettings & {
  /** Longest wait of a request for the breaker, in ms. */
  readonly patienceMs: number
  /** Response statuses that count as failures. */
  readonly failureStatuses: ReadonlySet<number>
}

/** Wait for a response head, in ms, from which a call that its client ended has hung: while little is known, and at least. */
const UNKNOWN_LONG_MS = 2_000
const MIN_LONG_MS = 1_000
/** Multiple of what the calls of a path usually take. */
const LONG_FACTOR = 3

/**
 * undefined when the verdict depends on the body. A protocol switch is a success, since no response body follows. A limit (429,
 * or 503 with a Retry-After that is no longer than the breaker's own longest open time) says nothing of health. A failed job
 * counts as one failure, not one for each poll.
 */
export function verdictOnHead(
  { status, headers }: Reply,
  exchange: Exchange,
  settings: BreakerRules,
  clock: Pick<Clock, 'wallNow'>,
): Verdict | undefined {
  if (settings.failureStatuses.has(status)) {
    const askedMs = status === 503 ? retryAfterMs(headers, clock.wallNow()) : 0
    if (askedMs > 0 && askedMs <= settings.openForMaxMs) return 'neutral'
    const { jobs } = exchange
    const id = jobs?.idOf?.(exchange, undefined)
    return id !== undefined && jobs?.counted.add(`broken ${id}`) === false ? 'neutral' : 'failure'
  }
  if (status === 429) return 'neutral'
  return status === 101 ? 'success' : undefined
}

export function verdictOnBody(end: BodyEnd): Verdict {
  if (end === 'complete') return 'success'
  return end !== 'cancelled' && faultOf(end).whose === 'upstream' ? 'failure' : 'neutral'
}

/** @param error of an attempt without a response head. */
export function verdictOnError(error: unknown, exchange: Exchange, settings: BreakerRules, now: number): Verdict {
  if (!(error instanceof ProxyError)) return 'neutral'
  const waitedMs = exchange.history.at(-1)?.headMs
  if (error.whose === 'upstream') return verdictOnFault(error.code, exchange, waitedMs, now)
  const isGone = error.code === 'client_gone' || isDeadline(error.code)
  const isLong = waitedMs !== undefined && waitedMs >= longMs(exchange, settings, now)
  return error.whose === 'client' && isGone && isLong ? 'hung' : 'neutral'
}

/** @param waitedMs for the response head; undefined when the request was not sent whole. */
function verdictOnFault(code: FaultCode, exchange: Exchange, waitedMs: number | undefined, now: number): Verdict {
  // Many servers refuse an upload by a reset: too large, not allowed. It says nothing of the others.
  if (code === 'reset' && exchange.body !== undefined && waitedMs === undefined) return 'neutral'
  if (code === 'total_timeout' && (waitedMs ?? 0) < usefulMs(exchange, now)) return 'neutral'
  return 'failure'
}

function longMs({ group }: Exchange, { slowCalls }: BreakerRules, now: number): number {
  if (slowCalls) return slowCalls.slowerThanMs
  const usual = usualMs(group, now)
  return usual === undefined ? UNKNOWN_LONG_MS : Math.max(MIN_LONG_MS, LONG_FACTOR * usual)
}
