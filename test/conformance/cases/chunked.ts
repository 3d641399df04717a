import type { Case, Group } from '../case.ts'
import { all, answered, atMost, closed, either, notWhole, refused, relayed, upstreamLacks } from '../checks.ts'
import { chunked, get, HELLO, HOST, head, post } from '../text.ts'

const served = answered({ body: 'ok' })
const hello = [served, relayed({ body: 'hello' })]

/** Chunks that are read like `hello`. */
const reads = (name: string, chunks: string): Case => ({
  section: 'RFC 9112 7.1',
  name,
  client: [chunked(chunks)],
  expect: hello,
})

/** Chunks that are refused. The RFCs name no status. */
const bad = (name: string, chunks: string, ours?: true): Case => ({
  section: 'RFC 9112 7.1',
  name,
  ...(ours && { ours }),
  client: [chunked(chunks)],
  expect: [refused(400)],
})

/** A Transfer-Encoding that is refused, and the statuses for it. */
const coding = (value: string, ...statuses: readonly number[]): Case => ({
  section: 'RFC 9112 6.1',
  name: `Transfer-Encoding: ${JSON.stringify(value)} is refused`,
  client: [post(HELLO, `Transfer-Encoding: ${value}`)],
  expect: [refused(statuses)],
})

export const chunkedBodies: Group = {
  topic: 'Transfer-Encoding',
  cases: [
    reads('a chunk is read', HELLO),
    reads('several chunks are one body', '2\r\nhe\r\n1\r\nl\r\n2\r\nlo\r\n0\r\n\r\n'),
    reads('leading zeros in a chunk size are read', '0005\r\nhello\r\n000\r\n\r\n'),
    reads('a chunk extension is ignored', '5;a\r\nhello\r\n0;b=c\r\n\r\n'),
    reads('a chunk extension with a quoted value is ignored', '5;a="b;c"\r\nhello\r\n0\r\n\r\n'),
    ...['a', 'A'].map((digit) => ({
      section: 'RFC 9112 7.1',
      name: `the hexadecimal digit ${digit} in a chunk size is read`,
      client: [chunked(`${digit}\r\n0123456789\r\n0\r\n\r\n`)],
      expect: [served, relayed({ body: '0123456789' })],
    })),
    {
      section: 'RFC 9112 7.1',
      name: 'an empty chunked body is relayed',
      client: [chunked('0\r\n\r\n')],
      expect: [served, relayed({ body: '' })],
    },
    {
      section: 'RFC 9112 7.1',
      name: 'a large chunk is relayed',
      client: [chunked(`30d40\r\n${'x'.repeat(200_000)}\r\n0\r\n\r\n`)],
      expect: [served, relayed({ body: 'x'.repeat(200_000) })],
    },
    {
      section: 'RFC 9112 7.1',
      name: 'a thousand chunks of a byte are relayed',
      client: [chunked(`${'1\r\nx\r\n'.repeat(1_000)}0\r\n\r\n`)],
      expect: [served, relayed({ body: 'x'.repeat(1_000) })],
    },
    {
      section: 'RFC 9112 7',
      name: 'the name chunked is known in any case',
      client: [post(HELLO, 'transfer-encoding: CHUNKED')],
      expect: hello,
    },
    {
      section: 'RFC 9112 7',
      name: 'spaces around chunked are no part of it',
      client: [post(HELLO, 'Transfer-Encoding:  chunked  ')],
      expect: hello,
    },
    {
      section: 'RFC 9112 7.1',
      name: 'the bytes behind a chunked body are the next request',
      client: [chunked(`${HELLO}${get('/next')}`)],
      expect: [...hello, answered({ body: 'ok' }, 1), relayed({ target: '/next' }, 1)],
    },
    {
      section: 'RFC 9112 7.1.2',
      name: 'trailers end the body and are no fields of the head',
      client: [chunked('5\r\nhello\r\n0\r\nX-Trailer: 1\r\n\r\n', 'Trailer: X-Trailer')],
      expect: [...hello, relayed({ absent: ['X-Trailer'] })],
    },
    {
      section: 'RFC 9110 6.5.1',
      name: 'trailers that would frame or route are no fields of the head',
      client: [chunked('5\r\nhello\r\n0\r\nContent-Length: 9\r\nHost: b.example\r\nAuthorization: x\r\n\r\n')],
      expect: [either(refused(400), all(...hello, relayed({ absent: ['Authorization'] })))],
    },
    {
      section: 'RFC 9112 7.1.2',
      name: 'the bytes behind trailers are the next request',
      client: [chunked(`5\r\nhello\r\n0\r\nX-Trailer: 1\r\n\r\n${get('/next')}`)],
      expect: [...hello, relayed({ target: '/next' }, 1)],
    },
    bad('a chunk size that is no number is refused', 'x\r\nhello\r\n0\r\n\r\n'),
    bad('an empty chunk size is refused', '\r\nhello\r\n0\r\n\r\n'),
    bad('a chunk size with 0x is refused', '0x5\r\nhello\r\n0\r\n\r\n'),
    bad('a chunk size with a sign is refused', '+5\r\nhello\r\n0\r\n\r\n'),
    bad('a negative chunk size is refused', '-5\r\nhello\r\n0\r\n\r\n'),
    bad('a chunk size with an underscore is refused', '0_5\r\nhello\r\n0\r\n\r\n'),
    bad('a chunk size over 64 bits is refused', '10000000000000005\r\nhello\r\n0\r\n\r\n'),
    bad('a chunk size of twenty digits is refused', 'fffffffffffffffffff5\r\nhello\r\n0\r\n\r\n'),
    bad('a space before a chunk size is refused', ' 5\r\nhello\r\n0\r\n\r\n', true),
    bad('a space behind a chunk size is refused', '5 \r\nhello\r\n0\r\n\r\n', true),
    bad('a chunk longer than its size is refused', '4\r\nhello\r\n0\r\n\r\n'),
    bad('a chunk shorter than its size is refused', '6\r\nhello\r\n0\r\n\r\n', true),
    bad('a chunk size that ends in a bare LF is refused', '5\nhello\r\n0\r\n\r\n', true),
    bad('a chunk that ends in a bare LF is refused', '5\r\nhello\n0\r\n\r\n', true),
    bad('a bare CR in a chunk extension is refused', '5;a\rb\r\nhello\r\n0\r\n\r\n', true),
    bad('a bare LF in a chunk extension is refused', '5;a\nb\r\nhello\r\n0\r\n\r\n', true),
    bad('NUL in a chunk extension is refused', '5;a\0\r\nhello\r\n0\r\n\r\n', true),
    bad('a trailer without a colon is refused', '5\r\nhello\r\n0\r\nnonsense\r\n\r\n', true),
    bad('a trailer with a space before its colon is refused', '5\r\nhello\r\n0\r\nX-A : 1\r\n\r\n', true),
    bad('a folded trailer is refused', '5\r\nhello\r\n0\r\nX-A: 1\r\n 2\r\n\r\n', true),
    bad('a last chunk that ends in a bare LF is refused', '5\r\nhello\r\n0\r\n\n', true),
    {
      section: 'RFC 9112 8',
      name: 'a chunked body without its last chunk is never whole at the upstream',
      client: [chunked('5\r\nhello\r\n'), 'FIN'],
      expect: [closed, notWhole],
    },
    {
      section: 'RFC 9112 8',
      name: 'a chunked body without its final line end is never whole at the upstream',
      client: [chunked('5\r\nhello\r\n0\r\n'), 'FIN'],
      expect: [closed, notWhole],
    },
    coding('gzip', 400, 501),
    coding('chunked, gzip', 400),
    coding('identity', 400, 501),
    coding('xchunked', 400, 501),
    coding('chunkedx', 400, 501),
    coding('"chunked"', 400, 501),
    coding('chunked;q=1', 400, 501),
    coding('\x0bchunked', 400, 501),
    coding('chunked\0', 400, 501),
    coding('chunked chunked', 400, 501),
    {
      section: 'RFC 9112 6.1',
      name: 'a coding besides chunked is answered with 501',
      client: [post(HELLO, 'Transfer-Encoding: gzip, chunked')],
      expect: [refused(501, { or: all(served, relayed({ fields: ['Transfer-Encoding: gzip, chunked'] })) })],
    },
    {
      section: 'RFC 9112 6.1',
      name: 'chunked that is applied twice is refused',
      client: [post(HELLO, 'Transfer-Encoding: chunked, chunked')],
      expect: [refused(400)],
    },
    {
      section: 'RFC 9112 6.1',
      name: 'two Transfer-Encoding fields are refused',
      client: [post(HELLO, 'Transfer-Encoding: chunked', 'Transfer-Encoding: chunked')],
      expect: [refused(400)],
    },
    {
      section: 'RFC 9112 6.1',
      name: 'an empty Transfer-Encoding is refused',
      client: [post(HELLO, 'Transfer-Encoding:')],
      expect: [refused([400, 501], { or: all(served, relayed({ body: '' }), atMost(1)) })],
    },
    {
      section: 'RFC 9112 6.1',
      name: 'chunked in a list with an empty element is read or refused',
      client: [post(HELLO, 'Transfer-Encoding: , chunked')],
      expect: [either(refused([400, 501]), all(...hello))],
    },
    {
      section: 'RFC 9112 5.2',
      name: 'a folded Transfer-Encoding is refused',
      client: [post(HELLO, 'Transfer-Encoding:\r\n chunked')],
      expect: [refused(400, { or: all(...hello, upstreamLacks('\r\n chunked')) })],
    },
    {
      section: 'RFC 9112 6.1',
      name: 'Transfer-Encoding in an HTTP/1.0 request is refused',
      client: [`${head('POST / HTTP/1.0', HOST, 'Connection: keep-alive', 'Transfer-Encoding: chunked')}${HELLO}`],
      expect: [refused(400, { or: all(served, closed, atMost(1)) })],
    },
    {
      section: 'RFC 9112 6.1',
      name: 'Content-Length besides Transfer-Encoding is refused',
      client: [chunked(HELLO, 'Content-Length: 5')],
      expect: [refused(400, { or: all(...hello, closed) })],
    },
    {
      section: 'RFC 9112 6.1',
      name: 'Content-Length before Transfer-Encoding is refused',
      client: [post(HELLO, 'Content-Length: 15', 'Transfer-Encoding: chunked')],
      expect: [refused(400, { or: all(...hello, closed) })],
    },
    {
      section: 'RFC 9110 7.6.1',
      name: 'a Transfer-Encoding that Connection names still frames the body',
      client: [chunked(HELLO, 'Connection: Transfer-Encoding')],
      expect: [either(refused(400), all(...hello))],
    },
  ],
}
