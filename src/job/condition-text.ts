/** Conditions in words, for `explain` and `check --sample`. */

import {
  alternativesOf,
  compileCondition,
  type Condition,
  type ConditionTerm,
  isList,
  isSuccess,
  namesStatus,
  type Report,
  type Scalar,
  testOf,
  type Verdict,
} from './condition.ts'
import { pointed } from './pointer.ts'

/** `/status is queued or processing`, `the status is 202`. */
export function conditionText(condition: Condition): string {
  if (isList(condition)) return joinedText(condition, ', or ')
  const { status, text, all, any, not } = condition
  if (all !== undefined) return joinedText(all, ', and ')
  if (any !== undefined) return joinedText(any, ', or ')
  if (not !== undefined) return `not (${conditionText(not)})`
  if (status !== undefined) return `the status is ${status.join(' or ')}`
  if (text !== undefined) return `the text has ${text}`
  return `${subjectOf(condition)} ${testText(condition)}`
}

const joinedText = (conditions: readonly Condition[], word: string) =>
  conditions
    .map((one) => (isList(one) || one.all || one.any ? `(${conditionText(one)})` : conditionText(one)))
    .join(word)

/** The value that a condition reads: `/status`, `the field x-state`. */
const subjectOf = ({ json, header }: ConditionTerm) =>
  json === undefined ? `the field ${header}` : json === '' ? 'the body' : json

function testText({ in: list, notIn, exists }: ConditionTerm): string {
  if (list !== undefined) return `is ${valuesText(list)}`
  if (notIn !== undefined) return `is there and is none of ${notIn.join(', ')}`
  if (exists === undefined) return 'is empty'
  return exists ? 'is there' : 'is not there'
}

const valuesText = (values: readonly Scalar[]) => values.join(' or ')

/** A condition on a response: its verdict and its reason, then the same for each condition within it. */
export type Finding = { readonly says: string; readonly verdict: Verdict; readonly of: readonly Finding[] }

/** Judges a condition and all within it. Slower than the compiled condition: it judges what is decided already, too. */
export function findingOn(condition: Condition, report: Report): Finding {
  const either = alternativesOf(condition)
  const { verdictOn } = compileCondition(condition)
  if (either !== undefined)
    return { says: 'any of', verdict: verdictOn(report), of: either.map((one) => findingOn(one, report)) }
  if (isSuccess(report) || namesStatus(condition)) return findingIn(condition, report)
  const says = `${conditionText(condition)}: it names no status, so that it holds for 2xx only`
  return { says, verdict: 'no', of: [] }
}

function findingIn(condition: Condition, report: Report): Finding {
  const verdict = testOf(condition)(report)
  const inner = (says: string, conditions: readonly Condition[]): Finding => ({
    says,
    verdict,
    of: conditions.map((one) => findingIn(one, report)),
  })
  if (isList(condition)) return inner('any of', condition)
  const { all, any, not } = condition
  if (all !== undefined) return inner('all of', all)
  if (any !== undefined) return inner('any of', any)
  if (not !== undefined) return inner('not', [not])
  return { says: `${conditionText(condition)}: ${foundText(condition, report)}`, verdict, of: [] }
}

/** Longest value in a reason, in characters. */
const SHOWN = 60

function foundText({ status, json, header, text }: ConditionTerm, report: Report): string {
  if (status !== undefined) return `it is ${report.status}`
  if (text !== undefined) return report.text() === undefined ? 'the body cannot be read' : 'the whole body was searched'
  const body = report.json()
  if (json !== undefined && body === undefined) return 'the body cannot be read as JSON'
  const value = json === undefined ? report.header((header ?? '').toLowerCase()) : pointed(body?.value, json)
  if (value === undefined) return 'it is not there'
  const shown = JSON.stringify(value)
  return `it is ${shown.length > SHOWN ? `${shown.slice(0, SHOWN)}…` : shown}`
}
