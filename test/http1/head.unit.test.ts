import { expect, test } from 'vitest'
import {
  CHUNKED,
  MessageFault,
  parseRequestHead,
  parseResponseHead,
  type RequestHead,
  type ResponseHead,
  UNTIL_CLOSE,
} from '../../src/http1/head.ts'
import { LIMITS } from './messages.ts'

/** Parses in the middle of other bytes, as a reader does. */
function within<T>(lines: readonly string[], parse: (bytes: Buffer, from: number, to: number) => T): T {
  const text = lines.join('\r\n')
  return parse(Buffer.from(`GET\r\n\r\n${text}\r\n\r\nx:y\r\n`, 'latin1'), 7, 7 + text.length)
}
const request = (...lines: string[]) => within(lines, (bytes, from, to) => parseRequestHead(bytes, from, to, LIMITS))
const response = (method: string, ...lines: string[]) =>
  within(lines, (bytes, from, to) => parseResponseHead(bytes, from, to, method, LIMITS))
const get = (...lines: string[]) => request('GET / HTTP/1.1', 'Host: a', ...lines)
const ok = (...lines: string[]) => response('GET', 'HTTP/1.1 200 OK', ...lines)
const kindOf = (head: RequestHead | ResponseHead | MessageFault) => (head instanceof MessageFault ? head.kind : 'none')

test('head: a request has its fields as they came, and what they mean', () => {
  const head = request(
    'POST /a?b=\xc3\xa9#"{} HTTP/1.1',
    'hOsT: a.b:80',
    'X:',
    'x-y:  a\t\xff b \t',
    'Content-Length: 007',
    'Expect: 100-Continue',
    'Connection: Keep-Alive, UPGRADE',
    'Upgrade: a/1',
    'upgrade: b',
  )
  expect(head).toEqual({
    method: 'POST',
    target: '/a?b=%C3%A9#"{}',
    minor: 1,
    headers: [
      ...['hOsT', 'a.b:80', 'X', '', 'x-y', 'a\t\xff b', 'Content-Length', '007', 'Expect', '100-Continue'],
      ...['Connection', 'Keep-Alive, UPGRADE', 'Upgrade', 'a/1', 'upgrade', 'b'],
    ],
    bodyBytes: 7,
    keepAlive: true,
    expects: '100-continue',
    upgrade: 'a/1, b',
    host: 'a.b:80',
    hasContent: true,
  })
})

test('head: a response has its fields as they came, and what they mean', () => {
  expect(
    response('GET', 'HTTP/1.0 299 So \xff\tso', 'Connection: x , keep-alive', 'Keep-Alive: max=9, timeout=5'),
  ).toEqual({
    status: 299,
    statusText: 'So \xff\tso',
    minor: 0,
    headers: ['Connection', 'x , keep-alive', 'Keep-Alive', 'max=9, timeout=5'],
    bodyBytes: UNTIL_CLOSE,
    keepAlive: false,
    upgrade: '',
    keepAliveTimeoutS: 5,
  })
})

test.each([
  ['a space before the method', ' GET / HTTP/1.1', 'malformed'],
  ['a method that is no token', 'G(T / HTTP/1.1', 'malformed'],
  ['a method of 65 bytes', `${'G'.repeat(65)} / HTTP/1.1`, 'malformed'],
  ['two spaces before the target', 'GET  / HTTP/1.1', 'malformed'],
  ['two spaces before the version', 'GET /  HTTP/1.1', 'malformed'],
  ['a tab for a space', 'GET\t/ HTTP/1.1', 'malformed'],
  ['no target', 'GET HTTP/1.1', 'malformed'],
  ['a space in the target', 'GET /a b HTTP/1.1', 'malformed'],
  ['a control character in the target', 'GET /\x01 HTTP/1.1', 'malformed'],
  ['a DEL in the target', 'GET /\x7f HTTP/1.1', 'malformed'],
  ['a CR in the target', 'GET /\r HTTP/1.1', 'malformed'],
  ['no version', 'GET /', 'malformed'],
  ['a space after the version', 'GET / HTTP/1.1 ', 'malformed'],
  ['a bare LF after the version', 'GET / HTTP/1.1\nHost: b', 'malformed'],
  ['a lower-case version', 'GET / http/1.1', 'malformed'],
  ['HTTP/1.2', 'GET / HTTP/1.2', 'version'],
  ['HTTP/0.9', 'GET / HTTP/0.9', 'version'],
  ['HTTP/2.0', 'GET / HTTP/2.0', 'version'],
  ['HTTP/1.10', 'GET / HTTP/1.10', 'malformed'],
  ['the preface of HTTP/2', 'PRI * HTTP/2.0', 'preface'],
  ['its method with another version', 'PRI / HTTP/1.1', 'preface'],
  ['a target over its limit', `GET /${'x'.repeat(16_384)} HTTP/1.1`, 'target_too_long'],
])('head: a request line with %s is refused', (_, line, kind) => {
  expect(kindOf(request(line, 'Host: a'))).toBe(kind)
})

test.each([
  ['GET / HTTP/1.0'],
  ["!#$%&'*+-.^_`|~aZ9 * HTTP/1.1"],
  [`${'G'.repeat(64)} http://a/ HTTP/1.1`],
  [`GET /${'x'.repeat(16_383)} HTTP/1.1`],
])('head: the request line %s is taken', (line) => {
  expect(kindOf(request(line, 'Host: a'))).toBe('none')
})

test.each([
  ['a space before the colon', 'A : b'],
  ['a tab before the colon', 'A\t: b'],
  ['no colon', 'A'],
  ['no name', ': b'],
  ['a name that is no token', 'A(: b'],
  ['a name with a byte above 0x7F', '\xe9: b'],
  ['a continued line', 'A: b\r\n c'],
  ['a line of blanks', 'A: b\r\n \t'],
  ['a NUL', 'A: \0'],
  ['a control character', 'A: b\x1f'],
  ['a DEL', 'A: b\x7f'],
  ['a bare CR', 'A: b\rc: d'],
  ['a bare LF', 'A: b\nc: d'],
  ['two CR', 'A: b\r\r\nc: d'],
  ['a CR at the end', 'A: b\r'],
])('head: a field with %s is refused, in a request and in a response', (_, line) => {
  expect(kindOf(get(line))).toBe('malformed')
  expect(kindOf(ok(line))).toBe('malformed')
  expect(kindOf(request('GET / HTTP/1.1', line, 'Host: a'))).toBe('malformed')
})

test('head: more fields than the limit are head_too_large', () => {
  const fields = Array.from({ length: LIMITS.maxFields }, (_, n) => `a${n}: b`)
  expect(kindOf(ok(...fields))).toBe('none')
  expect(kindOf(ok(...fields, 'c: d'))).toBe('head_too_large')
})

/** Framing fields, and the length of a request and of a response with them. */
test.each([
  [[], 0, UNTIL_CLOSE],
  [['Content-Length: 0'], 0, 0],
  [['content-length: 12 '], 12, 12],
  [['Content-Length: 9007199254740991'], Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  [['Content-Length: 9007199254740992'], 'malformed', 'malformed'],
  [['Content-Length:'], 'malformed', 'malformed'],
  [['Content-Length: +1'], 'malformed', 'malformed'],
  [['Content-Length: 1 1'], 'malformed', 'malformed'],
  [['Content-Length: 0x1'], 'malformed', 'malformed'],
  [['Content-Length: \xb2'], 'malformed', 'malformed'],
  [['Content-Length: 1, 1'], 'malformed', 'malformed'],
  [['Content-Length: 1', 'Content-Length: 1'], 'malformed', 'malformed'],
  [['Content-Length: 1\t'], 'malformed', 'malformed'],
  [['Transfer-Encoding: chunked'], CHUNKED, CHUNKED],
  [['transfer-encoding:CHUNKED '], CHUNKED, CHUNKED],
  [['Transfer-Encoding: chunked', 'Content-Length: 1'], 'malformed', 'malformed'],
  [['Content-Length: 1', 'Transfer-Encoding: chunked'], 'malformed', 'malformed'],
  [['Transfer-Encoding: gzip, chunked'], 'coding', 'coding'],
  [['Transfer-Encoding: gzip', 'Transfer-Encoding: chunked'], 'coding', 'coding'],
  [['Transfer-Encoding: identity, chunked'], 'coding', 'coding'],
  [['Transfer-Encoding: gzip'], 'malformed', 'coding'],
  [['Transfer-Encoding: identity'], 'malformed', 'coding'],
  [['Transfer-Encoding: chunked, gzip'], 'malformed', 'malformed'],
  [['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'], 'malformed', 'malformed'],
  [['Transfer-Encoding: gzip, chunked, chunked'], 'malformed', 'malformed'],
  [['Transfer-Encoding:'], 'malformed', 'malformed'],
  [['Transfer-Encoding: , chunked'], 'malformed', 'malformed'],
  [['Transfer-Encoding: chunked;q=1'], 'malformed', 'malformed'],
  [['Transfer-Encoding: "chunked"'], 'malformed', 'malformed'],
  [['Transfer-Encoding: \xa0chunked'], 'malformed', 'malformed'],
  [['Transfer-Encoding:\tchunked'], 'malformed', 'malformed'],
])('head: with %j a request has %s bytes, a response %s', (fields, ofRequest, ofResponse) => {
  const bytesOf = (head: RequestHead | ResponseHead | MessageFault) =>
    head instanceof MessageFault ? head.kind : head.bodyBytes
  expect(bytesOf(get(...fields))).toBe(ofRequest)
  expect(bytesOf(ok(...fields))).toBe(ofResponse)
})

test('head: Transfer-Encoding in HTTP/1.0 is refused', () => {
  expect(kindOf(request('GET / HTTP/1.0', 'Transfer-Encoding: chunked'))).toBe('malformed')
  expect(kindOf(response('GET', 'HTTP/1.0 200 OK', 'Transfer-Encoding: chunked'))).toBe('malformed')
})

test.each([
  ['HEAD', 200],
  ['GET', 100],
  ['GET', 101],
  ['GET', 103],
  ['GET', 204],
  ['GET', 304],
])('head: a response to %s with status %i has no body', (method, status) => {
  for (const field of ['Content-Length: 5', 'Transfer-Encoding: chunked', 'A: b'])
    expect(response(method, `HTTP/1.1 ${status} x`, field)).toMatchObject({ bodyBytes: 0, keepAlive: true })
})

test.each([
  ['', true],
  ['a', true],
  ['a-b_c.d~e', true],
  ["!$&'()*+,;=", true],
  ['%41%4a', true],
  ['a:', true],
  ['a:80', true],
  ['a:65535', true],
  ['127.0.0.1:8', true],
  ['[::]', true],
  ['[::1]:443', true],
  ['[1:2:3:4:5:6:7:8]', true],
  ['[1:2:3:4:5:6:1.2.3.4]', true],
  ['[::ffff:127.0.0.1]', true],
  ['[1::8]', true],
  ['a:65536', false],
  ['a:8x', false],
  ['a:-1', false],
  ['a:1:2', false],
  ['::1', false],
  ['a b', false],
  ['a/b', false],
  ['a?b', false],
  ['a@b', false],
  ['%4', false],
  ['%zz', false],
  ['\xe9', false],
  ['a\\b', false],
  ['[::1', false],
  ['::1]', false],
  ['[]', false],
  ['[:]', false],
  ['[:::]', false],
  ['[1::2::3]', false],
  ['[1:2:3:4:5:6:7]', false],
  ['[1:2:3:4:5:6:7:8:9]', false],
  ['[1::2:3:4:5:6:7:8]', false],
  ['[12345::]', false],
  ['[::g]', false],
  ['[::1.2.3.256]', false],
  ['[::1.2.3]', false],
  ['[1.2.3.4::]', false],
  ['[fe80::1%25eth0]', false],
  ['[v1.a]', false],
  ['[::1]x', false],
])('head: Host %j is valid: %s', (host, isValid) => {
  expect(kindOf(request('GET / HTTP/1.1', `Host: ${host}`, 'a: b'))).toBe(isValid ? 'none' : 'malformed')
})

test('head: HTTP/1.1 needs one Host, HTTP/1.0 none, neither takes two', () => {
  expect(kindOf(request('GET / HTTP/1.1'))).toBe('malformed')
  expect(kindOf(request('GET / HTTP/1.0'))).toBe('none')
  expect(kindOf(request('GET / HTTP/1.0', 'Host: a', 'Host: a'))).toBe('malformed')
  expect(kindOf(request('GET / HTTP/1.1', 'Host: a', 'host: a'))).toBe('malformed')
})

test.each([
  ['HTTP/1.1', [], true],
  ['HTTP/1.1', ['Connection: close'], false],
  ['HTTP/1.1', ['Connection: a,\tClose'], false],
  ['HTTP/1.1', ['Connection: a', 'connection: b', 'Connection: close'], false],
  ['HTTP/1.1', ['Connection: keep-alive, close'], false],
  ['HTTP/1.1', ['Connection: closed'], true],
  ['HTTP/1.0', [], false],
  ['HTTP/1.0', ['Connection: Keep-Alive'], true],
  ['HTTP/1.0', ['Connection: keep-alive, close'], false],
])('head: %s with %j keeps the connection: %s', (version, fields, keepAlive) => {
  expect(request(`GET / ${version}`, 'Host: a', ...fields)).toMatchObject({ keepAlive })
  expect(response('GET', `${version} 200 OK`, 'Content-Length: 0', ...fields)).toMatchObject({ keepAlive })
})

test('head: Upgrade counts only when Connection lists it, and not in a request of HTTP/1.0', () => {
  expect(get('Upgrade: websocket')).toMatchObject({ upgrade: '' })
  expect(get('Upgrade: websocket', 'Connection: x, Upgrade')).toMatchObject({ upgrade: 'websocket' })
  expect(request('GET / HTTP/1.0', 'Upgrade: websocket', 'Connection: upgrade')).toMatchObject({ upgrade: '' })
  expect(response('GET', 'HTTP/1.1 101 x', 'Upgrade: websocket', 'Connection: upgrade')).toMatchObject({
    upgrade: 'websocket',
  })
})

test('head: 100-continue of an HTTP/1.0 client is ignored, any other expectation is told', () => {
  expect(request('PUT / HTTP/1.0', 'Expect: 100-continue')).toMatchObject({ expects: '' })
  expect(request('PUT / HTTP/1.0', 'Expect: Else')).toMatchObject({ expects: 'else' })
  expect(get('Expect: 100-continue', 'Expect: else')).toMatchObject({ expects: '100-continue, else' })
})

test.each([
  ['HTTP/1.1 200', 200, ''],
  ['HTTP/1.1 200 ', 200, ''],
  ['HTTP/1.1 100 Continue', 100, 'Continue'],
  ['HTTP/1.1 599  x', 599, ' x'],
  ['HTTP/1.1 600 x', 600, 'x'],
  ['HTTP/1.1 999 x', 999, 'x'],
])('head: the status line %j is taken', (line, status, statusText) => {
  expect(response('GET', line)).toMatchObject({ status, statusText })
})

test.each([
  ['HTTP/1.1 099 x', 'malformed'],
  ['HTTP/1.1 20', 'malformed'],
  ['HTTP/1.1 2000', 'malformed'],
  ['HTTP/1.1  200', 'malformed'],
  ['HTTP/1.1 2x0 x', 'malformed'],
  ['HTTP/1.1 200\tx', 'malformed'],
  ['HTTP/1.1 200 \x01', 'malformed'],
  ['HTTP/1.1 200 a\rb', 'malformed'],
  ['HTTP/1.1', 'malformed'],
  ['HTTP/2.0 200 OK', 'version'],
  ['HTTP/1.3 200 OK', 'version'],
  ['ICY 200 OK', 'malformed'],
  ['<html>', 'malformed'],
])('head: the status line %j is refused', (line, kind) => {
  expect(kindOf(response('GET', line, 'a: b'))).toBe(kind)
})

test('head: TLS is told from other bytes that are no HTTP', () => {
  for (const head of [request('\x16\x03\x01\x02'), response('GET', '\x15\x03\x01\x02')])
    expect(head).toMatchObject({ kind: 'malformed', detail: 'the message is no HTTP, it looks like TLS' })
})

test.each([
  ['timeout=5', 5],
  ['max=100, Timeout=15', 15],
  ['timeout = "7"', 7],
  ['timeout=', undefined],
  ['xtimeout=5', undefined],
  ['timeout=1234567890', undefined],
])('head: Keep-Alive %j has a timeout of %s s', (value, keepAliveTimeoutS) => {
  expect(ok(`Keep-Alive: ${value}`)).toMatchObject({ keepAliveTimeoutS })
})
