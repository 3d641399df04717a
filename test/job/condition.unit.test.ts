import fc from 'fast-check'
import { expect, test } from 'vitest'
import { compileCondition, type Condition, type Report, testOf, type Verdict } from '../../src/job/condition.ts'
import { conditionText, findingOn } from '../../src/job/condition-text.ts'

type Response = { readonly status?: number; readonly headers?: Record<string, string>; readonly body?: string }

/** A response whose body is read as JSON where it is JSON. Without a body, it cannot be read. */
function reportOf({ status = 200, headers = {}, body }: Response): Report {
  const json = () => {
    try {
      return body === undefined ? undefined : { value: JSON.parse(body) as unknown }
    } catch {
      return undefined
    }
  }
  return { status, header: (name) => headers[name], json, text: () => body }
}

const on = (condition: Condition, response: Response): Verdict =>
  compileCondition(condition).verdictOn(reportOf(response))

test.for<[Condition, Response, Verdict]>([
  [{ status: [202] }, { status: 202 }, 'yes'],
  [{ status: [202] }, { status: 200 }, 'no'],
  [{ status: ['4xx', 503] }, { status: 404 }, 'yes'],
  [{ status: ['4xx', 503] }, { status: 503 }, 'yes'],
  [{ status: ['4xx', 503] }, { status: 500 }, 'no'],
  [{ status: ['5xx'] }, { status: 999 }, 'yes'],
  [{ json: '/status', in: ['queued'] }, { body: '{"status":"QUEUED"}' }, 'yes'],
  [{ json: '/status', in: ['Queued', 1, true, null] }, { body: '{"status":"queued"}' }, 'yes'],
  [{ json: '/status', in: ['queued', 1, true, null] }, { body: '{"status":1.0}' }, 'yes'],
  [{ json: '/status', in: ['queued', 1, true, null] }, { body: '{"status":true}' }, 'yes'],
  [{ json: '/status', in: ['queued', 1, true, null] }, { body: '{"status":null}' }, 'yes'],
  [{ json: '/status', in: ['queued', 1, true, null] }, { body: '{"status":"1"}' }, 'no'],
  [{ json: '/done', in: ['false'] }, { body: '{"done":false}' }, 'no'],
  [{ json: '/status', in: ['queued'] }, { body: '{}' }, 'no'],
  [{ json: '/status', in: ['[]'] }, { body: '{"status":[]}' }, 'no'],
  [{ json: '/status', in: ['queued'] }, { body: '{"status":"que' }, 'unknown'],
  [{ json: '/status', in: ['queued'] }, {}, 'unknown'],
  [{ json: '/status', notIn: ['completed', 'failed'] }, { body: '{"status":"warming up"}' }, 'yes'],
  [{ json: '/status', notIn: ['completed', 'failed'] }, { body: '{"status":"Completed"}' }, 'no'],
  [{ json: '/status', notIn: ['completed', 'failed'] }, { body: '{}' }, 'no'],
  [{ json: '/status', notIn: ['completed', 'failed'] }, { body: '{"status":null}' }, 'yes'],
  [{ json: '/error', exists: true }, { body: '{"error":{"code":3}}' }, 'yes'],
  [{ json: '/error', exists: true }, { body: '{"error":null}' }, 'no'],
  [{ json: '/error', exists: true }, { body: '{}' }, 'no'],
  [{ json: '/error', exists: false }, { body: '{"error":null}' }, 'yes'],
  [{ json: '/error', exists: false }, { body: '{"error":0}' }, 'no'],
  [{ json: '/error', exists: false }, { body: '' }, 'unknown'],
  [{ json: '/outputs', empty: true }, { body: '{"outputs":[]}' }, 'yes'],
  [{ json: '/outputs', empty: true }, { body: '{"outputs":{}}' }, 'yes'],
  [{ json: '/outputs', empty: true }, { body: '{"outputs":""}' }, 'yes'],
  [{ json: '/outputs', empty: true }, { body: '{"outputs":[0]}' }, 'no'],
  [{ json: '/outputs', empty: true }, { body: '{"outputs":null}' }, 'no'],
  [{ json: '/outputs', empty: true }, { body: '{}' }, 'no'],
  [{ json: '', empty: true }, { body: '{}' }, 'yes'],
  [{ json: '', empty: true }, { body: '{"7":{"outputs":{}}}' }, 'no'],
  [{ json: '/a~1b/0/~0', in: [1] }, { body: '{"a/b":[{"~":1}]}' }, 'yes'],
  [{ header: 'X-Job-State', in: ['Running', 1] }, { headers: { 'x-job-state': 'running' } }, 'yes'],
  [{ header: 'X-Job-State', in: ['Running', 1] }, { headers: { 'x-job-state': '1' } }, 'yes'],
  [{ header: 'X-Job-State', in: ['running'] }, {}, 'no'],
  [{ header: 'retry-after', exists: true }, { headers: { 'retry-after': '4' } }, 'yes'],
  [{ header: 'retry-after', exists: false }, {}, 'yes'],
  [{ text: '(?i)traceback|error:' }, { body: 'ERROR: no GPU' }, 'yes'],
  [{ text: '(?i)traceback|error:' }, { body: 'fine' }, 'no'],
  [{ text: '(?i)traceback|error:' }, {}, 'unknown'],
  [[{ status: [202] }, { json: '/s', in: ['q'] }], { body: '{"s":"q"}' }, 'yes'],
  [[{ status: [202] }, { json: '/s', in: ['q'] }], { status: 202 }, 'yes'],
  [[{ status: [202] }, { json: '/s', in: ['q'] }], {}, 'unknown'],
  [{ any: [{ status: [202] }, { json: '/s', in: ['q'] }] }, { body: '{}' }, 'no'],
  [{ all: [{ status: [425] }, { json: '/s', in: ['q'] }] }, { status: 425, body: '{"s":"q"}' }, 'yes'],
  [{ all: [{ status: [425] }, { json: '/s', in: ['q'] }] }, { status: 425 }, 'unknown'],
  [{ all: [{ status: [425] }, { json: '/s', in: ['q'] }] }, { status: 200 }, 'no'],
  [{ not: { json: '/done', in: [true] } }, { body: '{"name":"operations/7"}' }, 'yes'],
  [{ not: { json: '/done', in: [true] } }, { body: '{"done":true}' }, 'no'],
  [{ not: { json: '/done', in: [true] } }, { body: '<html>' }, 'unknown'],
  // Without a status, a condition is about successes; of a list, each by itself.
  [{ json: '/s', in: ['q'] }, { status: 500, body: '{"s":"q"}' }, 'no'],
  [{ not: { json: '/s', in: ['q'] } }, { status: 404, body: '{}' }, 'no'],
  [[{ status: [202] }, { json: '/s', notIn: ['done'] }], { status: 500, body: '{"s":"q"}' }, 'no'],
])('condition: %j of %j is %s', ([condition, response, expected]) => {
  expect(on(condition, response)).toBe(expected)
  expect(findingOn(condition, reportOf(response)).verdict).toBe(expected)
})

test('condition: a report is missed when it has none of the values that are asked for', () => {
  const missed = (condition: Condition, body: string) => compileCondition(condition).isMissedBy(reportOf({ body }))
  const list: Condition = { json: '/s', in: ['q'] }
  expect([missed(list, '{}'), missed(list, '{"s":1}')]).toEqual([true, false])
  expect([missed([list, { json: '/t', notIn: [1] }], '{"t":1}')]).toEqual([false])
  expect([missed({ json: '/s', exists: true }, '{}'), missed([list, { status: [202] }], '{}')]).toEqual([false, false])
})

test.for<[Condition, string]>([
  [{ json: '/status', in: ['queued', 1] }, '/status is queued or 1'],
  [{ not: { json: '/done', in: [true] } }, 'not (/done is true)'],
  [[{ status: [202, '4xx'] }, { json: '', empty: true }], 'the status is 202 or 4xx, or the body is empty'],
  [
    { all: [{ header: 'x-state', exists: true }, [{ json: '/a', notIn: [1] }, { text: 'a|b' }]] },
    'the field x-state is there, and (/a is there and is none of 1, or the text has a|b)',
  ],
])('condition: %j reads: %s', ([condition, text]) => {
  expect(conditionText(condition)).toBe(text)
})

/** Conditions of which each verdict occurs. */
const leaf = fc.constantFrom<Condition>(
  { status: [200] },
  { status: [202] },
  { json: '/s', in: ['q'] },
  { json: '/s', notIn: ['q'] },
  { json: '/t', exists: false },
  { json: '', empty: true },
  { header: 'x', in: ['1'] },
  { text: '"s"' },
)
const { condition: conditions } = fc.letrec<{ condition: Condition }>((tie) => ({
  condition: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    leaf,
    fc.record({ all: fc.array(tie('condition'), { minLength: 1, maxLength: 3 }) }),
    fc.record({ any: fc.array(tie('condition'), { minLength: 1, maxLength: 3 }) }),
    fc.array(tie('condition'), { minLength: 1, maxLength: 3 }),
    fc.record({ not: tie('condition') }),
  ),
}))
const reports = fc
  .record(
    {
      status: fc.constantFrom(200, 202, 404),
      headers: fc.constantFrom({}, { x: '1' }),
      body: fc.constantFrom('{}', '{"s":"Q"}', '{"s":1,"t":2}', 'text with "s"', ''),
    },
    { requiredKeys: ['status', 'headers'] },
  )
  .map(reportOf)

test('condition: the laws of three-valued logic hold', () => {
  fc.assert(
    fc.property(conditions, conditions, reports, (a, b, report) => {
      const is = (condition: Condition) => testOf(condition)(report)
      expect(is({ not: { not: a } })).toBe(is(a))
      expect(is({ all: [a, b] })).toBe(is({ all: [b, a] }))
      expect(is({ not: { all: [a, b] } })).toBe(is({ any: [{ not: a }, { not: b }] }))
      expect(is({ all: [a, a] })).toBe(is(a))
      expect(is([a, b])).toBe(is({ any: [a, b] }))
      expect(is({ any: [a, { all: [a, b] }] })).toBe(is(a))
      const both = [is(a), is(b)]
      expect(is({ all: [a, b] })).toBe(both.includes('no') ? 'no' : both.includes('unknown') ? 'unknown' : 'yes')
      expect(is({ any: [a, b] })).toBe(both.includes('yes') ? 'yes' : both.includes('unknown') ? 'unknown' : 'no')
    }),
    { numRuns: 2_000, seed: 20_261_127 },
  )
})

test('condition: an unreadable body changes a verdict to unknown only, never to its opposite', () => {
  fc.assert(
    fc.property(conditions, reports, (condition, report) => {
      const unread: Report = { ...report, json: () => undefined, text: () => undefined }
      const before = compileCondition(condition).verdictOn(unread)
      const after = compileCondition(condition).verdictOn(report)
      expect(before === 'unknown' || before === after).toBe(true)
      expect(findingOn(condition, report).verdict).toBe(after)
    }),
    { numRuns: 2_000, seed: 20_261_128 },
  )
})
