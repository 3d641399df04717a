import { expect, test } from 'vitest'
import { ChunkedDecoder } from '../../src/http1/chunked.ts'
import { LIMITS } from './messages.ts'

type Decoded = { body: string; trailers: readonly string[] | undefined; fault: string; rest: string }

/** Decodes the bytes in pieces of that size. */
function decoded(text: string, size: number, maxHeadBytes = LIMITS.maxHeadBytes): Decoded {
  const decoder = new ChunkedDecoder({ ...LIMITS, maxHeadBytes })
  const bytes = Buffer.from(text, 'latin1')
  let body = ''
  let read = 0
  while (read < bytes.length && decoder.trailers === undefined && decoder.fault === undefined) {
    const piece = bytes.subarray(read, read + size)
    let at = 0
    while (at < piece.length && decoder.trailers === undefined && decoder.fault === undefined) {
      at = decoder.read(piece, at)
      body += decoder.piece?.toString('latin1') ?? ''
    }
    read += at
  }
  const fault = decoder.fault?.kind ?? ''
  return { body, trailers: decoder.trailers, fault, rest: fault === '' ? text.slice(read) : '' }
}

/** Decodes in one piece and byte by byte, which have to agree. */
function both(text: string, maxHeadBytes?: number): Decoded {
  const whole = decoded(text, text.length, maxHeadBytes)
  for (const size of [1, 2, 3]) expect(decoded(text, size, maxHeadBytes)).toEqual(whole)
  return whole
}

test.each([
  ['no content', '0\r\n\r\n', '', []],
  ['two chunks', '5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n', 'hello!', []],
  ['upper-case digits and zeros in front', '00A\r\n0123456789\r\n000\r\n\r\n', '0123456789', []],
  ['content that looks like framing', '7\r\n0\r\n\r\n\r\n\r\n0\r\n\r\n', '0\r\n\r\n\r\n', []],
  ['extensions', '1;a;b=c;d="\\"; \xe9\t"\r\nx\r\n0;e\r\n\r\n', 'x', []],
  ['trailers', '1\r\nx\r\n0\r\nX-Sum: 1 \r\ny:\r\n\r\n', 'x', ['X-Sum', '1', 'y', '']],
])('chunked: %s', (_, text, body, trailers) => {
  expect(both(`${text}rest`)).toEqual({ body, trailers, fault: '', rest: 'rest' })
})

test.each([
  ['a space before the size', ' 1\r\nx\r\n'],
  ['a space after the size', '1 \r\nx\r\n'],
  ['a space before an extension', '1 ;a\r\nx\r\n'],
  ['a space within an extension', '1; a\r\nx\r\n'],
  ['no size', '\r\n\r\n'],
  ['an extension without a size', ';a\r\n\r\n'],
  ['a sign', '+1\r\nx\r\n'],
  ['a prefix', '0x1\r\nx\r\n'],
  ['a digit that is none', 'g\r\n'],
  ['a size above 2^53-1', '20000000000000\r\n'],
  ['17 digits', '00000000000000001\r\nx\r\n'],
  ['a size line that LF ends', '1\nx\r\n'],
  ['a size line that CR ends', '1\rx\r\n'],
  ['two CR after the size', '1\r\r\nx\r\n'],
  ['a chunk longer than its size', '1\r\nxy\r\n'],
  ['a chunk that LF ends', '1\r\nx\n0\r\n\r\n'],
  ['a chunk that CR ends', '1\r\nx\r0\r\n\r\n'],
  ['a chunk that CR and another byte end', '1\r\nx\r_0\r\n\r\n'],
  ['an empty extension', '1;\r\nx\r\n'],
  ['an extension without a value', '1;a=\r\nx\r\n'],
  ['an extension that is no token', '1;(\r\nx\r\n'],
  ['an extension with a LF', '1;a\nx\r\n'],
  ['a quoted string with a control character', '1;a="\x01"\r\nx\r\n'],
  ['a quoted string with a CRLF', '1;a="\r\n"\r\nx\r\n'],
  ['an escaped CR', '1;a="\\\r"\r\nx\r\n'],
  ['something after a quoted string', '1;a="b"c\r\nx\r\n'],
  ['a bare LF in the trailers', '0\r\na: b\n\r\n'],
  ['a bare CR in the trailers', '0\r\na: b\rc\r\n\r\n'],
  ['a trailer that is no field', '0\r\nab\r\n\r\n'],
  ['a continued trailer', '0\r\na: b\r\n c\r\n\r\n'],
  ['a NUL in a trailer', '0\r\na: \0\r\n\r\n'],
  ['a LF for the empty line', '0\r\n\n'],
])('chunked: %s is refused', (_, text) => {
  expect(both(text).fault).toBe('malformed')
})

test.each(['Content-Length: 1', 'transfer-encoding: chunked', 'Host: a', 'Connection: close', 'Upgrade: x'])(
  'chunked: the trailer %s is refused: it would frame or route a message',
  (line) => {
    expect(both(`0\r\na: b\r\n${line}\r\n\r\n`).fault).toBe('malformed')
  },
)

test('chunked: trailers that belong into a head are dropped, others are kept', () => {
  const text = '0\r\nAuthorization: x\r\nETag: "1"\r\ncontent-type: y\r\nSet-Cookie: z\r\nServer-Timing: t\r\n\r\n'
  expect(both(text).trailers).toEqual(['ETag', '"1"', 'Server-Timing', 't'])
})

test('chunked: extensions and trailers have one limit for the whole body, content has none', () => {
  const chunk = `1;${'e'.repeat(20)}\r\nx\r\n`
  expect(both(`${chunk.repeat(4)}0\r\n\r\n`, 100).fault).toBe('')
  expect(both(`${chunk.repeat(5)}0\r\n\r\n`, 100).fault).toBe('head_too_large')
  expect(both(`${chunk.repeat(3)}0\r\na: ${'b'.repeat(40)}\r\n\r\n`, 100).fault).toBe('head_too_large')
  expect(both(`0\r\na: ${'b'.repeat(93)}\r\n\r\n`, 100).fault).toBe('')
  expect(both(`0\r\na: ${'b'.repeat(94)}\r\n\r\n`, 100).fault).toBe('head_too_large')
  expect(both(`${'5\r\nhello\r\n'.repeat(50)}0\r\n\r\n`, 100).fault).toBe('')
})

test('chunked: content is a part of the buffer that came', () => {
  const decoder = new ChunkedDecoder(LIMITS)
  const bytes = Buffer.from('5\r\nhello\r\n')
  expect(decoder.read(bytes, 0)).toBe(8)
  bytes[3] = 0x4a
  expect(String(decoder.piece)).toBe('Jello')
})
