/**
 * Conditions on a response, as `hold.while`, `failureWhen` and `completedWhen` take them. Pure: a report is read through
 * functions, so that a body is only unpacked and parsed when a condition asks for it.
 */

import { Pattern } from './pattern.ts'
import { pointed } from './pointer.ts'

export type Scalar = string | number | boolean | null

/** As written in the file. A list holds when any of its conditions does. */
export type Condition = ConditionTerm | readonly Condition[]

/** One of status, json, header, text, all, any and not; in, notIn, exists and empty belong to json and header. */
export type ConditionTerm = {
  /** Statuses and classes such as 4xx. */
  readonly status?: readonly (number | string)[] | undefined
  /** JSON Pointer (RFC 6901). */
  readonly json?: string | undefined
  readonly header?: string | undefined
  readonly in?: readonly Scalar[] | undefined
  readonly notIn?: readonly Scalar[] | undefined
  readonly exists?: boolean | undefined
  readonly empty?: true | undefined
  /** Regular expression in RE2's syntax. */
  readonly text?: string | undefined
  readonly all?: readonly Condition[] | undefined
  readonly any?: readonly Condition[] | undefined
  readonly not?: Condition | undefined
}

/** `unknown`: the report cannot be read, so that nothing is concluded from it. */
export type Verdict = 'yes' | 'no' | 'unknown'

/** A response as conditions read it. */
export type Report = {
  readonly status: number
  /** @param name in lower case. */
  readonly header: (name: string) => string | undefined
  /** The body as JSON, in an object; undefined when it cannot be read. */
  readonly json: () => { readonly value: unknown } | undefined
  /** The body as text; undefined when it cannot be read. */
  readonly text: () => string | undefined
}

type Test = (report: Report) => Verdict

export type CompiledCondition = {
  readonly verdictOn: Test
  /**
   * Whether a report has none of the values that `in` and `notIn` ask for, and the condition asks for nothing else: it says
   * nothing about the job.
   */
  readonly isMissedBy: (report: Report) => boolean
  /** Whether a body that is not JSON may decide. */
  readonly readsText: boolean
}

/**
 * Compiles a condition. One that names no status holds for no response but a success, since the JSON of a 500 is no report of a
 * job. Of a list, each condition is asked by itself.
 * @throws PatternFault for a `text` that is no regular expression.
 */
export function compileCondition(condition: Condition): CompiledCondition {
  const terms = leavesOf(condition)
  const values = terms.map(valueAsked)
  return {
    verdictOn: guarded(condition),
    isMissedBy: (report) => values.every((valueIn) => valueIn !== undefined && valueIn(report) === undefined),
    readsText: terms.some(({ text }) => text !== undefined),
  }
}

function guarded(condition: Condition): Test {
  const either = alternativesOf(condition)
  if (either !== undefined) return anyOf(either.map(guarded))
  const test = testOf(condition)
  return namesStatus(condition) ? test : (report) => (isSuccess(report) ? test(report) : 'no')
}

/** The conditions of which any may hold; undefined for a condition of another kind. */
export const alternativesOf = (condition: Condition): readonly Condition[] | undefined =>
  isList(condition) ? condition : condition.any

export const namesStatus = (condition: Condition) => leavesOf(condition).some(({ status }) => status !== undefined)

export const isSuccess = ({ status }: Report) => status >= 200 && status < 300

/** The conditions within a condition that have none within themselves. */
export function leavesOf(condition: Condition): ConditionTerm[] {
  if (isList(condition)) return condition.flatMap(leavesOf)
  const { all, any, not } = condition
  const inner = all ?? any ?? (not === undefined ? undefined : [not])
  return inner === undefined ? [condition] : inner.flatMap(leavesOf)
}

export const isList = (condition: Condition): condition is readonly Condition[] => Array.isArray(condition)

/** The condition by itself, for any status. */
export function testOf(condition: Condition): Test {
  if (isList(condition)) return anyOf(condition.map(testOf))
  const { status, json, header, text, all, any, not } = condition
  if (all !== undefined) return allOf(all.map(testOf))
  if (any !== undefined) return anyOf(any.map(testOf))
  if (not !== undefined) {
    const test = testOf(not)
    return (report) => negated(test(report))
  }
  if (status !== undefined) return (report) => verdict(status.some((one) => isStatus(one, report.status)))
  if (text !== undefined) {
    const pattern = new Pattern(text)
    return (report) => {
      const body = report.text()
      return body === undefined ? 'unknown' : verdict(pattern.isIn(body))
    }
  }
  const holds = valueTest(condition)
  if (json !== undefined)
    return (report) => {
      const body = report.json()
      return body === undefined ? 'unknown' : verdict(holds(pointed(body.value, json)))
    }
  const name = (header ?? '').toLowerCase()
  return (report) => verdict(holds(report.header(name)))
}

const verdict = (holds: boolean): Verdict => (holds ? 'yes' : 'no')

const negated = (one: Verdict): Verdict => (one === 'unknown' ? one : verdict(one === 'no'))

const allOf =
  (tests: readonly Test[]): Test =>
  (report) =>
    joined(tests, report, 'no')

const anyOf =
  (tests: readonly Test[]): Test =>
  (report) =>
    joined(tests, report, 'yes')

/** Kleene's logic. @param decisive the verdict of one test that decides whatever the others say. */
function joined(tests: readonly Test[], report: Report, decisive: 'yes' | 'no'): Verdict {
  let isUnknown = false
  for (const test of tests) {
    const one = test(report)
    if (one === decisive) return one
    isUnknown ||= one === 'unknown'
  }
  return isUnknown ? 'unknown' : negated(decisive)
}

/** Larger ones are treated as 5xx (RFC 9110 section 15). */
const LAST_VALID = 599

const isStatus = (one: number | string, status: number) =>
  typeof one === 'number' ? one === status : one[0] === String(Math.min(status, LAST_VALID))[0]

function valueTest({ header, in: list, notIn, exists }: ConditionTerm): (value: unknown) => boolean {
  // A header's value is text, whatever the type in the list.
  const keyOf = header === undefined ? keyOfValue : (value: unknown) => keyOfValue(String(value))
  if (list !== undefined) {
    const keys = new Set(list.map(keyOf))
    return (value) => value !== undefined && keys.has(keyOf(value))
  }
  if (notIn !== undefined) {
    const keys = new Set(notIn.map(keyOf))
    return (value) => value !== undefined && !keys.has(keyOf(value))
  }
  if (exists !== undefined) return (value) => (value !== undefined && value !== null) === exists
  return isEmpty
}

/** Equal for values that are the same, text without regard to case. A list or an object equals nothing. */
function keyOfValue(value: unknown): unknown {
  if (typeof value === 'string') return `text ${value.toLowerCase()}`
  return typeof value === 'object' && value !== null ? undefined : value
}

const isEmpty = (value: unknown) =>
  value === '' || (typeof value === 'object' && value !== null && Object.keys(value).length === 0)

/** Reads the value that an `in` or a `notIn` asks for; undefined for any other condition. */
function valueAsked({ json, header, in: list, notIn }: ConditionTerm): ((report: Report) => unknown) | undefined {
  if (list === undefined && notIn === undefined) return undefined
  if (json !== undefined) return (report) => pointed(report.json()?.value, json)
  return header === undefined ? undefined : (report) => report.header(header.toLowerCase())
}
