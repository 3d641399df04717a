/** The fields of a log's line, whoever wrote it: what is not of the type that they have here is taken for absent. */

import { isMap } from '../config/setting.ts'
import { isFaultCode } from '../errors.ts'
import type { BreakerState } from '../policy/events.ts'
import type { RecordedAttempt } from './recorded-log.ts'

export type Fields = Readonly<Record<string, unknown>>

/** None for what is no attempt. */
export function attemptOf(told: unknown): RecordedAttempt[] {
  if (!isMap(told)) return []
  const word = String(told.outcome)
  const outcome = /^\d{3}$/.test(word) ? Number(word) : word
  if (typeof outcome === 'string' && !isFaultCode(outcome)) return []
  const endpoint = textOrNone(told.endpoint)
  return [{ atMs: number(told.at_ms), ms: number(told.ms), outcome, early: told.early === true, endpoint }]
}

const STATES: readonly BreakerState[] = ['closed', 'open', 'half-open']

export const stateOf = (word: unknown) => STATES.find((state) => state === word)

export const number = (value: unknown) => (typeof value === 'number' ? value : 0)
export const text = (value: unknown) => (typeof value === 'string' ? value : '')
export const textOrNone = (value: unknown) => (typeof value === 'string' ? value : undefined)

/** undefined when the line is not whole. */
export function parsed(line: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return isMap(value) ? value : undefined
  } catch {
    return undefined // the last line of a log that is being written need not be whole
  }
}
