import { expect, test } from 'vitest'
import { formatFaults } from '../../src/config/file/faults.ts'
import { loadConfig } from '../../src/config/load.ts'

const file = (route: string) => `upstreams:\n  web:\n    url: http://web\n    routes:\n      - ${route}\n`

function routeOf(route: string) {
  const loaded = loadConfig(file(route), 'test.yaml', {})
  if (!loaded.ok) throw new Error(formatFaults(loaded.faults))
  return loaded.config.upstreams[0]?.routes[0]
}

/** Each fault as `path message`, the path from the route on. */
function faultsOf(route: string): string[] {
  const loaded = loadConfig(file(route), 'test.yaml', {})
  return loaded.ok
    ? []
    : loaded.faults.map(({ path, message, suggestion }) => {
        const hint = suggestion === undefined ? '' : ` (${suggestion})`
        return `${path.replace('upstreams.web.routes.0.', '')} ${message}${hint}`
      })
}

const BOUNDS = 'upTo: 20s, every: 2s'

test('the forms of before and the new ones are read', () => {
  const hold = { upToMs: 20_000, everyMs: 2_000 }
  expect(routeOf(`{ match: GET /, hold: { json: /s, in: [q], ${BOUNDS} } }`)?.hold).toEqual({
    json: '/s',
    in: ['q'],
    ...hold,
  })
  expect(routeOf(`{ match: GET /, hold: { while: [{ status: [202] }], ${BOUNDS} } }`)?.hold).toEqual({
    while: [{ status: [202] }],
    ...hold,
  })
  const rest = routeOf(
    '{ match: "GET /{id}", failureWhen: { json: /s, in: [f], oncePer: id, completed: [c] }, inspect: 1MiB }',
  )
  expect([rest?.failureWhen, rest?.completedWhen, rest?.inspectBytes]).toEqual([
    { json: '/s', in: ['f'], oncePer: 'id', completed: ['c'] },
    false,
    1_048_576,
  ])
  const listed = routeOf('{ match: GET /, failureWhen: [{ status: [4xx] }], completedWhen: { not: { text: a } } }')
  expect([listed?.failureWhen, listed?.completedWhen]).toEqual([[{ status: ['4xx'] }], { not: { text: 'a' } }])
})

test('a match with header fields is one line, which names the route', () => {
  expect(routeOf('{ match: { request: POST /, headers: { X-Amz-Target: "T.Start*", x-a: b } } }')?.match).toBe(
    'POST / x-a: b, x-amz-target: T.Start*',
  )
})

test.for<[route: string, faults: string[]]>([
  ['completedWhen: {}', ['completedWhen expected false, or one of status, json, header, text, all, any, not']],
  ['completedWhen: { json: /s }', ['completedWhen.json needs in, notIn, exists, empty beside it']],
  [
    'completedWhen: { json: s, empty: true }',
    ["completedWhen.json expected a JSON Pointer such as /status, or '' for the body (/s)"],
  ],
  ['completedWhen: { status: [200], in: [a] }', ['completedWhen.in belongs to json or header, not to status']],
  [
    'completedWhen: { status: [200], json: /s, in: [a] }',
    ['completedWhen.json status is there, too: join two conditions by all or any'],
  ],
  [
    'completedWhen: { json: /s, in: [a], exists: true }',
    ['completedWhen.exists in is there, too: join two conditions by all or any'],
  ],
  [
    'completedWhen: { header: x-a, empty: true }',
    ['completedWhen.empty belongs to json: a field without text is not sent'],
  ],
  [
    'completedWhen: { status: [600] }',
    ['completedWhen.status.0 expected a status such as 202, or a class such as 4xx'],
  ],
  ['completedWhen: { json: /s, in: [[a]] }', ['completedWhen.in.0 expected text, a number, true, false or null']],
  ['completedWhen: { json: /s, empty: false }', ['completedWhen.empty expected true']],
  ['completedWhen: { all: [] }', ['completedWhen.all has no condition']],
  ['completedWhen: { not: { jsn: /s, in: [a] } }', ['completedWhen.not.jsn unknown key (json)']],
  [
    'completedWhen: { text: "(a)\\\\1" }',
    ['completedWhen.text is no regular expression that can be used: back-references are not possible in linear time'],
  ],
  ['hold: { upTo: 20s, every: 2s }', ['hold.while while is missing']],
  ['hold: { json: /s, upTo: 20s, every: 2s }', ['hold.in in is missing']],
  ['hold: { while: { status: [202] }, in: [a], upTo: 20s, every: 2s }', ['hold.in while is there, too: one of them']],
  ['failureWhen: { json: /s, in: [f], oncePer: job }', ['failureWhen.oncePer no {job} in match']],
  ['failureWhen: { json: /s, in: [f], oncePer: { path: job } }', ['failureWhen.oncePer no {job} in match']],
  ['failureWhen: { status: [4xx], completed: [c] }', ['failureWhen.completed needs json and in: use completedWhen']],
  [
    'failureWhen: { json: /s, in: [f], completed: [c] }, completedWhen: { status: [200] }',
    ['failureWhen.completed completedWhen is there, too: one of them'],
  ],
])('%s: %j', ([settings, expected]) => {
  expect(faultsOf(`{ match: "GET /{id}", ${settings} }`)).toEqual(expected)
})

test('a match is refused where it could not be meant', () => {
  expect(faultsOf('{ match: { request: POST /, headers: {} } }')).toEqual(['match.headers has no field'])
  expect(faultsOf('{ match: { request: POST /, headers: { x-a: "a, b" } } }')).toEqual([
    'match.headers.x-a expected visible characters without a comma; * stands for any text',
  ])
  expect(faultsOf('{ match: "GET /{id}?x={id}" }')).toEqual(['match a {name} stands there twice'])
})

test('conditions that are nested without end are refused', () => {
  const deep = `${'{ not: '.repeat(5_000)}{ status: [200] }${' }'.repeat(5_000)}`
  expect(loadConfig(file(`{ match: GET /, completedWhen: ${deep} }`), 'test.yaml', {}).ok).toBe(false)
  const nested = `${'{ not: '.repeat(60)}{ status: [200] }${' }'.repeat(60)}`
  expect(faultsOf(`{ match: GET /, completedWhen: ${nested} }`)).toEqual([' this is nested too deeply'])
})
