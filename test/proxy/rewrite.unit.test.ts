import { expect, test } from 'vitest'
import { type Address, rewritten } from '../../src/proxy/fields/rewrite.ts'
import { withStrings } from '../../src/proxy/fields/json.ts'

const SELF = 'http://127.0.0.1:8080'
const shared: Address = {
  origins: [new URL('http://web:8000'), new URL('http://other:8000')],
  basePath: '',
  toldHost: '',
  self: SELF,
  prefix: '/web',
}
const own: Address = { ...shared, prefix: '' }
const based: Address = { ...shared, basePath: '/api/v1' }
const told: Address = { ...shared, toldHost: 'api.example.com' }
const RULES = { names: new Set(['x-next', 'x-links']), pointers: [], inspectBytes: 0 }

test.each<[name: string, address: Address, value: string, expected: string]>([
  ['location', shared, 'http://web:8000/a?b#c', `${SELF}/web/a?b#c`],
  ['location', shared, 'HTTP://WEB:8000/a', `${SELF}/web/a`],
  ['location', shared, 'http://other:8000', `${SELF}/web/`],
  ['location', shared, '//web:8000/a', `${SELF}/web/a`],
  ['location', shared, '/a', '/web/a'],
  ['location', shared, 'a/b', 'a/b'],
  ['location', shared, '?page=2', '?page=2'],
  ['location', shared, '', ''],
  ['location', shared, 'https://web:8000/a', 'https://web:8000/a'],
  ['location', shared, 'http://web:8001/a', 'http://web:8001/a'],
  ['location', shared, 'http://web:8000@evil.example/', 'http://web:8000@evil.example/'],
  ['location', shared, 'http://web:8000.evil.example/', 'http://web:8000.evil.example/'],
  ['location', shared, 'mailto:a@web', 'mailto:a@web'],
  ['location', { ...shared, self: '' }, 'http://web:8000/a', '/web/a'],
  ['location', own, 'http://web:8000/a', `${SELF}/a`],
  ['location', own, '/a', '/a'],
  ['location', based, 'http://web:8000/api/v1/a', `${SELF}/web/a`],
  ['location', based, 'http://web:8000/api/v1?x', `${SELF}/web/?x`],
  ['location', based, 'http://web:8000/api/v10/a', 'http://web:8000/api/v10/a'],
  ['location', based, '/elsewhere', '/elsewhere'],
  ['location', told, 'https://api.example.com/a', `${SELF}/web/a`],
  ['location', told, 'http://api.example.com:80/a', `${SELF}/web/a`],
  ['location', told, 'http://web:8000/a', `${SELF}/web/a`],
  ['location', told, 'https://www.example.com/a', 'https://www.example.com/a'],
  ['content-location', shared, '/a', '/web/a'],
  [
    'link',
    shared,
    '</a>; rel=next, <b>; rel="x <y>",<http://web:8000/c>',
    `</web/a>; rel=next, <b>; rel="x <y>",<${SELF}/web/c>`,
  ],
  ['link', shared, 'no link', 'no link'],
  ['refresh', shared, '5', '5'],
  ['refresh', shared, '0;/a', '0;/web/a'],
  ['refresh', shared, "0; URL='http://web:8000/a'", `0; URL='${SELF}/web/a'`],
  ['refresh', shared, '1.5, url = "/a"', '1.5, url = "/web/a"'],
  ['x-next', shared, '/a', '/web/a'],
  ['x-links', shared, '</a>; rel=next', '</web/a>; rel=next'],
  ['x-other', shared, '/a', '/a'],
  ['set-cookie', shared, 'a=/b; path=/; Secure', 'a=/b; path=/web; Secure'],
  ['set-cookie', shared, 'a=b;Path=/jobs/;HttpOnly', 'a=b; Path=/web/jobs/;HttpOnly'],
  ['set-cookie', shared, 'a=b; Path; Domain', 'a=b; Path; Domain'],
  ['set-cookie', shared, 'a=b; Path=x', 'a=b; Path=x'],
  ['set-cookie', shared, 'a=b', 'a=b'],
  ['set-cookie', own, 'a=b; Path=/; Domain=.WEB', 'a=b; Path=/'],
  ['set-cookie', own, 'a=b; Domain=evil.example', 'a=b; Domain=evil.example'],
  ['set-cookie', told, 'a=b; Domain=example.com; Max-Age=5', 'a=b; Max-Age=5'],
  ['set-cookie', told, 'a=b; Domain=ample.com', 'a=b; Domain=ample.com'],
  ['set-cookie', based, 'a=b; Path=/api/v1/jobs', 'a=b; Path=/web/jobs'],
  ['set-cookie', based, 'a=b; Path=/api/v1', 'a=b; Path=/web'],
  ['set-cookie', based, 'a=b; Path=/api', 'a=b; Path=/web'],
  ['set-cookie', based, 'a=b; Path=/ap', 'a=b; Path=/ap'],
  ['set-cookie', { ...based, prefix: '' }, 'a=b; Path=/api/v1/', 'a=b; Path=/'],
])('rewrite: %s %#', (name, address, value, expected) => {
  expect(rewritten(name, value, RULES, address)).toBe(expected)
})

const upper = (text: string) => text.toUpperCase()

test.each<[json: string, pointers: string[], expected: string | undefined]>([
  ['{"a":"x"}', ['/a'], '{"a":"X"}'],
  [
    '{ "a" : { "b" : [ 1, "x", ["y"] ] } , "z": "z" }',
    ['/a/b/1', '/a/b/2/0'],
    '{ "a" : { "b" : [ 1, "X", ["Y"] ] } , "z": "z" }',
  ],
  ['{"id":12345678901234567890,"f":1.0,"a":"x"}', ['/a'], '{"id":12345678901234567890,"f":1.0,"a":"X"}'],
  ['{"a\\u002fb":"x","m~n":"y","":"z"}', ['/a~1b', '/m~0n', '/'], '{"a\\u002fb":"X","m~n":"Y","":"Z"}'],
  ['{"é":"ü\\"}"}', ['/é'], '{"é":"Ü\\"}"}'],
  ['{"a":"first","a":"last"}', ['/a'], '{"a":"first","a":"LAST"}'],
  ['{"a":{"b":"x"}}', ['/a/b', '/a/b'], '{"a":{"b":"X"}}'],
  ['"x"', [''], '"X"'],
  ['{"o":[{"u":"x"},{"v":1},5,{"u":"y"}]}', ['/o/*/u'], '{"o":[{"u":"X"},{"v":1},5,{"u":"Y"}]}'],
  ['[["x"], ["y", "z"]]', ['/*/*'], '[["X"], ["Y", "Z"]]'],
  ['{"*":"x","o":[]}', ['/*', '/o/*'], '{"*":"X","o":[]}'],
  ['{"a":"X"}', ['/a'], undefined],
  ['{"a":5,"b":{},"c":null}', ['/a', '/b', '/c', '/d', '/b/e', '/a/0'], undefined],
  ['["x"]', ['/1', '/00', '/-', '/a'], undefined],
  ['{"a":"x"', ['/a'], undefined],
  ['', ['/a'], undefined],
])('JSON: strings at pointers are replaced, all other bytes stay: %s', (json, pointers, expected) => {
  expect(withStrings(Buffer.from(json), pointers, upper)?.toString()).toBe(expected)
})

test('JSON: a body that is no UTF-8 is left alone', () => {
  expect(withStrings(Buffer.from('{"a":"\xe9"}', 'latin1'), ['/a'], upper)).toBeUndefined()
})
