/** Reads fields of a log's line. Values of another type count as absent. */

import { isMap } from '../../config/kinds/setting.ts'
import { type FaultCode, isFaultCode } from '../../errors.ts'
import type { BreakerState } from '../../events.ts'

/** An attempt of the recorded run, in ms since its request's arrival. */
export type RecordedAttempt = {
  readonly atMs: number
  /** Time to the response head, or to the end without one. */
  readonly ms: number
  /** Status, or the reason without one. */
  readonly outcome: number | FaultCode
  /** Whether the answer came before the whole request was sent. */
  readonly early: boolean
  /** Origin; undefined where the upstream has but one. */
  readonly endpoint: string | undefined
  /** Wait that the answer's Retry-After asked for; 0 without one. */
  readonly retryAfterMs: number
  /** From the start of the attempt to the moment at which its body broke off; undefined where it did not, or is not told. */
  readonly brokeMs: number | undefined
}

export type Fields = Readonly<Record<string, unknown>>

/** None for anything that is not an attempt. */
export function attemptOf(entry: unknown): RecordedAttempt[] {
  if (!isMap(entry)) return []
  const word = String(entry.outcome)
  const outcome = /^\d{3}$/.test(word) ? Number(word) : word
  if (typeof outcome === 'string' && !isFaultCode(outcome)) return []
  const endpoint = textOrNone(entry.endpoint)
  return [
    {
      atMs: number(entry.at_ms),
      ms: number(entry.ms),
      outcome,
      early: entry.early === true,
      endpoint,
      retryAfterMs: number(entry.retry_after_ms),
      brokeMs: typeof entry.broke_ms === 'number' ? entry.broke_ms : undefined,
    },
  ]
}

const STATES: readonly BreakerState[] = ['closed', 'open', 'half-open']

export const stateOf = (word: unknown) => STATES.find((state) => state === word)

export const number = (value: unknown) => (typeof value === 'number' ? value : 0)
export const text = (value: unknown) => (typeof value === 'string' ? value : '')
export const textOrNone = (value: unknown) => (typeof value === 'string' ? value : undefined)

/** undefined for an incomplete line. */
export function parsed(line: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return isMap(value) ? value : undefined
  } catch {
    return undefined // the last line of a log that is being written need not be whole
  }
}
