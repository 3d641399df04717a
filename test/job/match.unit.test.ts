import { expect, test } from 'vitest'
import { compileMatch, idReader, MATCH_FORM, matchName, matchParts } from '../../src/job/match.ts'

type Asked = readonly [method: string, target: string, headers?: readonly string[]]

function matches(match: string, [method, target, headers = []]: Asked): boolean {
  return compileMatch(match)(method, target.split('?')[0] ?? '', target, headers)
}

test.for<[match: string, yes: Asked[], no: Asked[]]>([
  [
    'GET /jobs/{id}',
    [
      ['GET', '/jobs/7'],
      ['HEAD', '/jobs/7?x=1'],
    ],
    [
      ['GET', '/jobs/'],
      ['GET', '/jobs/7/x'],
      ['PUT', '/jobs/7'],
    ],
  ],
  [
    '* /a/*/b',
    [['PUT', '/a/x/b']],
    [
      ['PUT', '/a//b'],
      ['PUT', '/a/x/y/b'],
    ],
  ],
  [
    'GET /files/*',
    [['GET', '/files/a/b']],
    [
      ['GET', '/files/'],
      ['GET', '/files'],
    ],
  ],
  [
    'GET /files/{name}.mp4',
    [
      ['GET', '/files/a.mp4'],
      ['GET', '/files/a.b.mp4'],
    ],
    [
      ['GET', '/files/.mp4'],
      ['GET', '/files/amp4'],
      ['GET', '/files/a.mp4/x'],
    ],
  ],
  [
    'POST /v1/{name}:cancel',
    [['POST', '/v1/7:cancel']],
    [
      ['POST', '/v1/7'],
      ['POST', '/v1/:cancel'],
      ['POST', '/v1/7:cancel2'],
    ],
  ],
  ['POST /v1/op-{name}', [['POST', '/v1/op-7']], [['POST', '/v1/op-']]],
  [
    'GET /transcripts?id={id}',
    [
      ['GET', '/transcripts?id=7'],
      ['GET', '/transcripts?x=1&id=7'],
      ['GET', '/transcripts?i%64=7'],
    ],
    [
      ['GET', '/transcripts'],
      ['GET', '/transcripts?id='],
      ['GET', '/transcripts?ID=7'],
      ['GET', '/other?id=7'],
    ],
  ],
  [
    'GET /?a=x%20y&b=*',
    [
      ['GET', '/?b=1&a=x+y'],
      ['GET', '/?a=0&a=x%20y&b=1'],
    ],
    [
      ['GET', '/?a=x%20y'],
      ['GET', '/?a=X%20y&b=1'],
    ],
  ],
  [
    'POST / x-amz-target: Transcribe.Start*',
    [['POST', '/', ['X-Amz-Target', 'Transcribe.StartTranscriptionJob']]],
    [
      ['POST', '/'],
      ['POST', '/', ['x-amz-target', 'TranscribeXStart']],
      ['POST', '/', ['x-amz-target', 'Transcribe.GetStart']],
    ],
  ],
  [
    'GET /?a=1 x: *, y: b',
    [['GET', '/?a=1', ['y', 'b', 'x', '']]],
    [
      ['GET', '/?a=1', ['y', 'b']],
      ['GET', '/', ['y', 'b', 'x', '']],
    ],
  ],
])('match: %s', ([match, yes, no]) => {
  expect(yes.filter((one) => !matches(match, one))).toEqual([])
  expect(no.filter((one) => matches(match, one))).toEqual([])
})

test('match: header fields are part of its name, in order and in lower case', () => {
  const name = matchName('POST /x?a=1', { 'X-B': 'two', 'x-a': 'o*e' })
  expect(name).toBe('POST /x?a=1 x-a: o*e, x-b: two')
  expect(matchParts(name)).toEqual({
    method: 'POST',
    path: '/x',
    query: [{ name: 'a', value: '1' }],
    headers: [
      { name: 'x-a', value: 'o*e' },
      { name: 'x-b', value: 'two' },
    ],
  })
})

test('match: what is accepted in a file', () => {
  const good = ['GET /', '* /a//b/', 'GET /{id}', 'GET /a/*', 'GET /a.b', 'POST /v1/{n}:cancel', 'GET /a?b={c}&d=*&e=1']
  const bad = [
    'GET',
    'get /',
    'GET a',
    'GET /{a}{b}',
    'GET /a*',
    'GET /{}',
    'GET /a?',
    'GET /a?b',
    'GET /a?b={c',
    'GET /a b',
    'GET /a#b',
  ]
  expect(good.filter((one) => !MATCH_FORM.test(one))).toEqual([])
  expect(bad.filter((one) => MATCH_FORM.test(one))).toEqual([])
})

test("match: a job's id stands in the path, the query or a field", () => {
  const request = { path: '/v1/7:poll', target: '/v1/7:poll?job_id=8%209&e=', headers: ['X-Job-Id', '10'] }
  expect(idReader({ path: 'id' }, 'GET /v1/{id}:poll')(request)).toBe('7')
  expect(idReader({ path: 'job' }, 'GET /v1/{id}:poll?job_id={job}')(request)).toBe('8 9')
  expect(idReader({ query: 'job_id' }, 'GET /v1/*')(request)).toBe('8 9')
  expect(idReader({ header: 'x-JOB-id' }, 'GET /v1/*')(request)).toBe('10')
  expect(idReader({ path: 'no' }, 'GET /v1/{id}:poll')(request)).toBeUndefined()
  expect(idReader({ query: 'e' }, 'GET /v1/*')(request)).toBeUndefined()
  expect(idReader({ header: 'x-other' }, 'GET /v1/*')(request)).toBeUndefined()
})
