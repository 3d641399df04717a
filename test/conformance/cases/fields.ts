import type { Case, Group } from '../case.ts'
import { all, answered, refused, relayed, upstreamLacks } from '../checks.ts'
import { get, head, HOST, post } from '../text.ts'

const served = answered({ body: 'ok' })

/** A line that is no field. The RFCs leave open whether it is refused or left out; on it goes in no case. */
const noField = (name: string, line: string): Case => ({
  section: 'RFC 9112 5',
  name,
  client: [get('/', line, 'X-Last: 1')],
  expect: [refused(400, { or: all(served, upstreamLacks(`\r\n${line}\r\n`)) })],
})

const spaced = (name: string, line: string): Case => ({
  section: 'RFC 9112 5.1',
  name,
  client: [get('/', line)],
  expect: [refused(400)],
})

/** A folded value may be refused or unfolded: RFC 9112 5.2. */
const folded = (name: string, line: string): Case => ({
  section: 'RFC 9112 5.2',
  name,
  client: [get('/', line)],
  expect: [refused(400, { or: all(answered({}), upstreamLacks('\r\n '), upstreamLacks('\r\n\t')) })],
})

const kept = (section: string, name: string, ...fields: readonly string[]): Case => ({
  section,
  name,
  client: [get('/', ...fields)],
  expect: [served, relayed({ ordered: fields })],
})

export const fields: Group = {
  topic: 'Field syntax',
  cases: [
    spaced('a space before the colon is refused', 'X-A : 1'),
    spaced('a tab before the colon is refused', 'X-A\t: 1'),
    spaced('a space before the colon of Content-Length is refused', 'Content-Length : 0'),
    spaced('a space before the colon of Transfer-Encoding is refused', 'Transfer-Encoding : chunked'),
    folded('a folded field is refused', 'X-A: 1\r\n 2'),
    folded('a field that is folded with a tab is refused', 'X-A: 1\r\n\t2'),
    folded('a fold without content is refused', 'X-A: 1\r\n '),
    folded('an empty field with its value in a fold is refused', 'X-A:\r\n 1'),
    noField('a line without a colon is refused', 'nonsense'),
    noField('an empty name is refused', ': 1'),
    noField('a space within a name is refused', 'X A: 1'),
    noField('parentheses in a name are refused', 'X(A): 1'),
    noField('an @ in a name is refused', 'X@A: 1'),
    noField('a quote in a name is refused', 'X"A: 1'),
    noField('a slash in a name is refused', 'X/A: 1'),
    noField('a byte above 0x7F in a name is refused', 'X\xe9: 1'),
    noField('a control character in a name is refused', 'X\x01: 1'),
    noField('NUL in a name is refused', 'X\0A: 1'),
    noField('DEL in a name is refused', 'X\x7fA: 1'),
    kept('RFC 9110 5.5', 'an empty value is relayed', 'X-A:'),
    {
      section: 'RFC 9112 5.1',
      name: 'white space around a value is no part of it',
      client: [get('/', 'X-A: \t a b\t \t')],
      expect: [served, relayed({ fields: ['X-A: a b'] })],
    },
    {
      section: 'RFC 9112 5.1',
      name: 'white space behind the colon may be missing',
      client: [get('/', 'X-A:1')],
      expect: [served, relayed({ fields: ['X-A: 1'] })],
    },
    kept('RFC 9110 5.3', 'fields of one name keep their order', 'X-A: 1', 'X-B: 2', 'X-A: 3', 'X-A: 4'),
    kept('RFC 9110 5.3', 'an empty field among others of its name is kept', 'X-A: 1', 'X-A:', 'X-A: 3'),
    {
      ...kept('RFC 9110 5.3', 'fields keep their order and the case of their names', 'x-B: 1', 'X-a: 2', 'X-C: 3'),
      ours: true,
    },
    kept('RFC 9110 5.1', 'an unknown field is relayed', 'Never-Heard-Of: 1'),
    kept('RFC 9110 5.1', 'a name with an underscore is relayed', 'X_A: 1'),
    kept('RFC 9110 5.6.2', 'a name of every token character is relayed', "X!#$%&'*+-.^_`|~9: 1"),
    kept('RFC 9110 5.6.2', 'a name of digits is relayed', '123: 1'),
    kept('RFC 9110 5.5', 'quotes, commas and backslashes are kept', 'X-A: "a\\"b, c", d;e="f",, (g)'),
    kept('RFC 9110 5.5', 'a long value is relayed', `X-A: ${'v'.repeat(4_000)}`),
    kept('RFC 9110 5.1', 'names that are words in programs are relayed', 'constructor: 1', 'toString: 2'),
    { ...kept('RFC 9110 5.1', 'a name that is a property in JavaScript is relayed', '__proto__: 1'), ours: true },
    kept('RFC 9110 8.8', 'conditional fields are relayed', 'If-None-Match: "a", W/"b"', 'If-Match: *'),
    kept('RFC 9110 14.2', 'Range and If-Range are relayed', 'Range: bytes=0-4,-2', 'If-Range: "a"'),
    kept('RFC 9110 11.6.2', 'Authorization is relayed', 'Authorization: Basic eDp5'),
    kept('RFC 6265 5.4', 'Cookie is relayed', 'Cookie: a=1; b="2"'),
    kept('RFC 9110 12.5', 'fields of negotiation are relayed', 'Accept: */*', 'Accept-Encoding: gzip;q=1, *;q=0'),
    kept('RFC 9111 5.2', 'fields for caches are relayed', 'Cache-Control: no-cache', 'Pragma: no-cache'),
    {
      section: 'RFC 9110 8',
      name: 'fields of the content are relayed with it',
      client: [post('hello', 'Content-Length: 5', 'Content-Type: text/x; a="b"', 'Content-Encoding: made-up')],
      expect: [
        served,
        relayed({ body: 'hello', fields: ['Content-Type: text/x; a="b"', 'Content-Encoding: made-up'] }),
      ],
    },
    {
      section: 'RFC 9110 5.4',
      name: 'a hundred fields are relayed',
      client: [get('/', ...Array.from({ length: 95 }, (_, n) => `X-${n}: ${n}`))],
      expect: [served, relayed({ fields: ['X-0: 0', 'X-94: 94'] })],
    },
    {
      section: 'RFC 9112 2.2',
      name: 'a field behind the empty line is content, not a field',
      client: [`${head('POST / HTTP/1.1', HOST, 'Content-Length: 6')}X-A: 1`],
      expect: [served, relayed({ body: 'X-A: 1', absent: ['X-A'] })],
    },
  ],
}
