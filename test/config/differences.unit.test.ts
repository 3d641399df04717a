import { expect, test } from 'vitest'
import { differences } from '../../src/config/file/differences.ts'

const BEFORE = `
upstreams:
  web:
    url: http://a
    breaker: { openFor: 10s }
    routes:
      - { match: GET /own, timeout: { total: 5s } }
`

test.for([
  ['the same text', BEFORE, []],
  ['a value', BEFORE.replace('10s', '30s'), [{ path: 'upstreams.web.breaker.openFor', before: '10s', after: '30s' }]],
  [
    'a setting that is gone, and a new one',
    BEFORE.replace('openFor: 10s', 'patience: 0ms'),
    [
      { path: 'upstreams.web.breaker.patience', before: undefined, after: '0ms' },
      { path: 'upstreams.web.breaker.openFor', before: '10s', after: undefined },
    ],
  ],
  [
    'a route before another one changes only itself',
    BEFORE.replace('    routes:\n', '    routes:\n      - { match: GET /new }\n'),
    [{ path: 'upstreams.web.routes.[GET /new].match', before: undefined, after: 'GET /new' }],
  ],
  ['a text that is no YAML', `${BEFORE}  : [`, undefined],
  ['a text that is too large', `${BEFORE}#${'x'.repeat(200_000)}`, undefined],
] as const)('differences: %s', ([, after, expected]) => {
  expect(differences(BEFORE, after)).toEqual(expected)
})
