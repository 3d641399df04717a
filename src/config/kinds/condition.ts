/** Conditions on a response, and where a job's id stands. */

import { z } from 'zod'
import type { Condition, ConditionTerm } from '../../job/condition.ts'
import type { CreatedIdSource } from '../../job/id.ts'
import { type IdSource, MATCH_PATH_FORM, namesIn } from '../../job/match.ts'
import { Pattern } from '../../job/pattern.ts'
import { PatternFault } from '../../job/pattern-syntax.ts'
import { flag, listOf, MAX_ENTRIES, text, token } from './kinds.ts'

const scalar = z
  .custom<string | number | boolean | null>(
    (value) => value === null || ['string', 'number', 'boolean'].includes(typeof value),
    { error: 'expected text, a number, true, false or null' },
  )
  .meta({ type: ['string', 'number', 'boolean', 'null'], title: 'text, a number, true, false or null' })

const isStatus = (value: unknown) =>
  (Number.isInteger(value) && Number(value) >= 100 && Number(value) <= 599) || /^[1-5]xx$/.test(String(value))

const status = z
  .custom<number | string>(isStatus, { error: 'expected a status such as 202, or a class such as 4xx' })
  .meta({
    anyOf: [{ type: 'integer', minimum: 100, maximum: 599 }, { enum: ['1xx', '2xx', '3xx', '4xx', '5xx'] }],
    title: 'a status from 100 to 599, or a class such as 4xx',
  })

/** JSON Pointer to a value in a response; '' for the whole body. */
const valuePointer = text.regex(/^(?:\/|$)/, { error: "expected a JSON Pointer such as /status, or '' for the body" })

/** Longest regular expression, in characters. */
const MAX_PATTERN = 1000

const pattern = text.max(MAX_PATTERN, { error: `is longer than ${MAX_PATTERN} characters` }).check((context) => {
  const message = faultOf(context.value)
  if (message !== undefined) context.issues.push({ code: 'custom', input: context.value, message })
})

function faultOf(written: string): string | undefined {
  try {
    return new Pattern(written) && undefined
  } catch (error) {
    if (error instanceof PatternFault) return `is no regular expression that can be used: ${error.message}`
    throw error
  }
}

const values = listOf(scalar, 1)

const inner: z.ZodType<Condition> = z.lazy(() => condition)

/** A list that holds when any of its conditions does. */
export const conditions = (): z.ZodType<readonly Condition[]> =>
  z
    .array(inner)
    .min(1, { error: 'has no condition' })
    .max(MAX_ENTRIES, { error: `has more than ${MAX_ENTRIES} entries` })

/** Keys of a condition, for settings that have keys beside them. */
export const TERM = {
  status: listOf(status, 1).describe('Holds for a response with one of these statuses.').optional(),
  json: valuePointer
    .describe('JSON Pointer to the value in the response that in, notIn, exists or empty is about.')
    .optional(),
  header: token.describe('Response field whose value in, notIn or exists is about.').optional(),
  in: values.describe('Holds when the value is one of these; case makes no difference.').optional(),
  notIn: values.describe('Holds when there is a value and it is none of these.').optional(),
  exists: flag.describe('Holds when there is a value other than null, or, with false, when there is none.').optional(),
  empty: z
    .literal(true, { error: 'expected true' })
    .describe('Holds when the value is an empty list, object or text.')
    .optional(),
  text: pattern
    .describe('Holds when the body has a match of this regular expression (RE2: no back-references, no look-around).')
    .optional(),
  all: conditions().describe('Holds when all of these conditions do.').optional(),
  any: conditions().describe('Holds when any of these conditions does.').optional(),
  not: inner.describe('Holds when this condition does not.').optional(),
}

const SUBJECTS = ['status', 'json', 'header', 'text', 'all', 'any', 'not'] as const
const TESTS = ['in', 'notIn', 'exists', 'empty'] as const

/** Reports keys that make no condition together. */
export function checkTerm(context: z.core.ParsePayload<ConditionTerm>): void {
  const { value, issues } = context
  // A key that is not known is the fault; it may be the missing one.
  if (issues.length > 0) return
  const wrong = (key: string, message: string) => issues.push({ code: 'custom', input: value, path: [key], message })
  const [subject, second] = SUBJECTS.filter((key) => value[key] !== undefined)
  const [test, another] = TESTS.filter((key) => value[key] !== undefined)
  if (subject === undefined)
    return void issues.push({ code: 'custom', input: value, message: `expected one of ${SUBJECTS.join(', ')}` })
  if (second !== undefined) return void wrong(second, `${subject} is there, too: join two conditions by all or any`)
  const isOfValue = subject === 'json' || subject === 'header'
  if (!isOfValue && test !== undefined) return void wrong(test, `belongs to json or header, not to ${subject}`)
  if (isOfValue && test === undefined) return void wrong(subject, `needs ${TESTS.join(', ')} beside it`)
  if (another !== undefined) return void wrong(another, `${test} is there, too: join two conditions by all or any`)
  if (subject === 'header' && test === 'empty') wrong('empty', 'belongs to json: a field without text is not sent')
}

const term: z.ZodType<ConditionTerm> = z.strictObject(TERM).check(checkTerm)

/** A condition, or a list of them that holds when any of them does. */
export const condition: z.ZodType<Condition> = z.union([conditions(), term]).meta({ id: 'condition' })

/** Where a job's id stands: a name in `match`, or a place in the request or the response. */
export const idSource: z.ZodType<string | IdSource> = z
  .union(
    [
      text,
      z.strictObject({ path: text.describe('{name} in match.') }),
      z.strictObject({ query: text.min(1).describe('Query parameter of the request.') }),
      z.strictObject({ header: token.describe('Field of the request.') }),
      z.strictObject({ json: valuePointer.describe('JSON Pointer into the response.') }),
    ],
    { error: 'expected a {name} in match, or one of { path: }, { query: }, { header: } and { json: }' },
  )
  .meta({ title: 'a {name} in match, or one of { path: }, { query: }, { header: } and { json: }' })

/** The pattern of a URL that has the id: `/jobs/{id}`, `/result?job_id={id}`. */
const linkPattern = text
  .regex(MATCH_PATH_FORM, { error: 'expected a path with {id}, such as /jobs/{id} or /result?job_id={id}' })
  .refine((pattern) => namesIn(pattern).length === 1, { error: 'expected exactly one {name}' })
  .describe('Pattern of the URL that the value is, with {id}. Without it the id of a URL is its last segment.')
  .optional()

/** Where the id of a new job stands: in the response, or in the request where the client chooses it. */
export const createdIdSource: z.ZodType<string | CreatedIdSource> = z
  .union(
    [
      text,
      z.strictObject({ path: text.describe('{name} in match, where the client chooses the id.') }),
      z.strictObject({
        query: text.min(1).describe('Query parameter of the request, where the client chooses the id.'),
      }),
      z.strictObject({
        header: token.describe('Field of the response: the id, or a URL with it.'),
        match: linkPattern,
      }),
      z.strictObject({
        json: valuePointer.describe('JSON Pointer into the response: the id, or a URL with it.'),
        match: linkPattern,
      }),
    ],
    { error: 'expected one of { json: }, { header: }, { path: } and { query: }' },
  )
  .meta({ title: 'one of { json: }, { header: }, { path: } and { query: }' })
