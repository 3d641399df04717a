/** What a response says of its job: its state, and the upstream's word for it. */

import type { JobState } from '../../events.ts'
import {
  type CompiledCondition,
  type Condition,
  type ConditionTerm,
  isSuccess,
  leavesOf,
  type Report,
} from '../../job/condition.ts'
import { pointed } from '../../job/pointer.ts'

export type StandingRule = {
  readonly failed: CompiledCondition | undefined
  readonly completed: CompiledCondition | undefined
  readonly running: CompiledCondition | undefined
  /** Whether `completed` is the file's own condition, not the common words. */
  readonly isCompletedWritten: boolean
  /** Where the upstream's word for the state stands, in order of preference. */
  readonly words: readonly Word[]
  /** Whether a verdict or a word may need the body. */
  readonly readsBody: boolean
}

type Word = (report: Report) => unknown

export type Standing = {
  readonly state: JobState
  /** The upstream's word; the HTTP status where it says none. */
  readonly status: string
}

/** Longest word that is shown. A longer one is no state, and may be a secret. */
const MAX_WORD = 64
const WORD = /^[\p{L}\p{N}][\p{L}\p{N} ._:/+-]*$/u

/** Words of services for a job that did not end well. */
const FAILED = /^(?:fail|error|cancel|abort|expire|timed?[ _-]?out|reject|stopped|terminated|dead)/i

/** Only lists of values name states: another value may be anything, such as a signed URL. */
export const wordsIn = (conditions: readonly Condition[]): Word[] => conditions.flatMap(leavesOf).flatMap(wordOf)

function wordOf({ json, header, in: list, notIn }: ConditionTerm): Word[] {
  if (list === undefined && notIn === undefined) return []
  if (json !== undefined) return [(report) => pointed(report.json()?.value, json)]
  return header === undefined ? [] : [(report) => report.header(header.toLowerCase())]
}

/** @returns undefined when nothing can be concluded: the report is unknown, or the response is no success and no 404. */
export function standingOf(report: Report, rule: StandingRule): Standing | undefined {
  const status = statusIn(report, rule.words)
  const state = stateOf(report, rule, status)
  return state && { state, status: status ?? `HTTP ${report.status}` }
}

function stateOf(report: Report, rule: StandingRule, status: string | undefined): JobState | undefined {
  const failed = rule.failed?.verdictOn(report) ?? 'no'
  if (failed !== 'no') return failed === 'yes' ? 'failed' : undefined
  const completed = rule.completed?.verdictOn(report) ?? 'no'
  if (completed !== 'no') return completed === 'yes' ? 'completed' : undefined
  const running = rule.running?.verdictOn(report)
  if (running === 'yes') return 'running'
  if (report.status === 404 || report.status === 410) return 'gone'
  if (running === 'unknown' || !isSuccess(report)) return undefined
  const { failed: one, completed: other, running: third } = rule
  const isSilent = [one, other, third].every((condition) => condition === undefined || condition.isMissedBy(report))
  if (isSilent) return undefined
  if (running === undefined || rule.isCompletedWritten) return 'running'
  return status !== undefined && FAILED.test(status) ? 'failed' : 'completed'
}

function statusIn(report: Report, words: readonly Word[]): string | undefined {
  for (const read of words) {
    const value = read(report)
    if (typeof value === 'number' || typeof value === 'boolean') return String(value)
    if (typeof value === 'string' && value.length <= MAX_WORD && WORD.test(value)) return value
  }
  return undefined
}
