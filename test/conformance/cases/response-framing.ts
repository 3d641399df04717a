import type { Case, Check, Group } from '../case.ts'
import { all, answered, badGateway, either, nothingBehind, strictly, upstreamClosed } from '../checks.ts'
import { answer, get, HELLO, HOST, head, ok } from '../text.ts'

const hello = answered({ body: 'hello' })
const LARGE = 'x'.repeat(300_000)

const relays = (name: string, steps: readonly string[], ...checks: readonly Check[]): Case => ({
  section: 'RFC 9112 6.3',
  name,
  client: [get()],
  upstream: [steps],
  expect: [hello, ...checks],
})

/** A response that is no HTTP/1.1: 502, and its connection is closed. `or`: what a peer may do instead. */
const faulty = (section: string, name: string, reply: string, or?: Check): Case => ({
  section,
  name,
  client: [get()],
  upstream: [[reply]],
  expect: [badGateway('protocol', or), either(upstreamClosed(1), or ?? upstreamClosed(1))],
})

const own = (one: Case): Case => ({ ...one, ours: true })

const length = (...fields: readonly string[]) => `${head('HTTP/1.1 200 OK', ...fields)}hello`
const field = (line: string) => `${head('HTTP/1.1 200 OK', line, 'Content-Length: 5')}hello`

const lacksRaw =
  (text: string): Check =>
  ({ responses }) =>
    responses[0]?.fields.some(([, value]) => value.includes(text))
      ? `${JSON.stringify(text)} reached the client`
      : undefined

export const responseFraming: Group = {
  topic: 'Responses: framing',
  cases: [
    relays('a body of a given length is relayed', [ok('hello')]),
    relays('the length stays what it was', [ok('hello')], strictly(answered({ framing: 'length' }))),
    relays('a chunked body is relayed', [answer('200 OK', HELLO, 'Transfer-Encoding: chunked')]),
    relays('chunked is known in any case', [answer('200 OK', HELLO, 'transfer-encoding: Chunked')]),
    relays('chunk extensions end at the proxy', [
      answer('200 OK', '5;a="b;c"\r\nhello\r\n0;d\r\n\r\n', 'Transfer-Encoding: chunked'),
    ]),
    relays('a body that ends with the connection is relayed', [answer('200 OK', 'hello'), 'FIN']),
    relays('a body that ends with the connection of HTTP/1.0 is relayed', ['HTTP/1.0 200 OK\r\n\r\nhello', 'FIN']),
    relays('a response of HTTP/1.0 with a length is relayed', ['HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello']),
    relays('leading zeros in a length are digits like others', [length('Content-Length: 0005')]),
    relays('a body in several packets is relayed', [answer('200 OK', 'he', 'Content-Length: 5'), 'l', 'lo']),
    {
      section: 'RFC 9112 6.3',
      name: 'a response that arrives byte by byte is relayed',
      client: [get()],
      upstream: [[{ bytewise: answer('200 OK', HELLO, 'Transfer-Encoding: chunked') }]],
      expect: [hello],
    },
    {
      section: 'RFC 9112 6.3',
      name: 'an empty body of a given length is relayed',
      client: [get()],
      upstream: [[ok('')]],
      expect: [answered({ body: '' })],
    },
    {
      section: 'RFC 9112 6.3',
      name: 'a large body of a given length is relayed',
      client: [get()],
      upstream: [[ok(LARGE)]],
      expect: [answered({ body: LARGE })],
    },
    {
      section: 'RFC 9112 7.1',
      name: 'a large chunk is relayed to the client',
      client: [get()],
      upstream: [
        [answer('200 OK', `${LARGE.length.toString(16)}\r\n${LARGE}\r\n0\r\n\r\n`, 'Transfer-Encoding: chunked')],
      ],
      expect: [answered({ body: LARGE })],
    },
    {
      section: 'RFC 9112 6.3',
      name: 'a body that ends with the connection is chunked for the client or ends with its connection',
      client: [get()],
      upstream: [[answer('200 OK', LARGE), 'FIN']],
      expect: [answered({ body: LARGE })],
    },
    {
      section: 'RFC 9112 7.1.2',
      name: 'trailers are relayed',
      ours: true,
      client: [get()],
      upstream: [
        [
          answer(
            '200 OK',
            '5\r\nhello\r\n0\r\nX-Sum: 42\r\nX-B: 1\r\n\r\n',
            'Transfer-Encoding: chunked',
            'Trailer: X-Sum',
          ),
        ],
      ],
      expect: [answered({ body: 'hello', trailers: ['X-Sum: 42', 'X-B: 1'] })],
    },
    {
      section: 'RFC 9110 6.5.1',
      name: 'trailers are no fields of the head',
      client: [get()],
      upstream: [[answer('200 OK', '5\r\nhello\r\n0\r\nX-Sum: 42\r\n\r\n', 'Transfer-Encoding: chunked')]],
      expect: [answered({ body: 'hello', absent: ['X-Sum'] })],
    },
    {
      section: 'RFC 9112 6.1',
      name: 'a client of HTTP/1.0 gets no trailers',
      client: [head('GET / HTTP/1.0', HOST)],
      upstream: [[answer('200 OK', '5\r\nhello\r\n0\r\nX-Sum: 42\r\n\r\n', 'Transfer-Encoding: chunked')]],
      expect: [hello, ({ responses }) => (responses[0]?.body.includes('42') ? 'a trailer in the body' : undefined)],
    },
    {
      section: 'RFC 9112 7.1',
      name: 'a chunk is relayed before the next one comes',
      ours: true,
      client: [get(), { clientHas: 'hello' }],
      upstream: [
        [answer('200 OK', '5\r\nhello\r\n', 'Transfer-Encoding: chunked'), { clientHas: 'hello' }, '0\r\n\r\n'],
      ],
      expect: [hello],
    },
    {
      section: 'RFC 9112 6.3',
      name: 'bytes behind the length are not relayed',
      client: [get()],
      upstream: [[`${ok('hello')}more`]],
      expect: [hello, nothingBehind],
    },
    {
      section: 'RFC 9112 6.3',
      name: 'bytes behind the last chunk are not relayed',
      client: [get()],
      upstream: [[`${answer('200 OK', HELLO, 'Transfer-Encoding: chunked')}more`]],
      expect: [hello, nothingBehind],
    },
    faulty('RFC 9112 6.3', 'several lengths are answered with 502', length('Content-Length: 5', 'Content-Length: 6')),
    faulty('RFC 9112 6.3', 'a list of lengths is answered with 502', length('Content-Length: 5, 6')),
    faulty(
      'RFC 9112 6.3',
      'several equal lengths are answered with 502',
      length('Content-Length: 5', 'Content-Length: 5'),
      hello,
    ),
    ...['x', '-5', '+5', '5x', '0x5', '18446744073709551621'].map((value) =>
      faulty(
        'RFC 9112 6.3',
        `a response with Content-Length: ${value} is answered with 502`,
        length(`Content-Length: ${value}`),
      ),
    ),
    own(faulty('RFC 9112 6.3', 'an empty length of a response is answered with 502', length('Content-Length:'))),
    faulty(
      'RFC 9112 6.3',
      'a length besides Transfer-Encoding is answered with 502',
      `${head('HTTP/1.1 200 OK', 'Content-Length: 5', 'Transfer-Encoding: chunked')}${HELLO}`,
      hello,
    ),
    own(
      faulty(
        'RFC 9112 6.1',
        'a coding besides chunked in a response is answered with 502',
        `${head('HTTP/1.1 200 OK', 'Transfer-Encoding: gzip, chunked')}${HELLO}`,
      ),
    ),
    own(
      faulty(
        'RFC 9112 6.3',
        'a response whose last coding is not chunked is answered with 502',
        `${head('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked, gzip')}${HELLO}`,
      ),
    ),
    own(
      faulty(
        'RFC 9112 6.1',
        'Transfer-Encoding in a response of HTTP/1.0 is answered with 502',
        `${head('HTTP/1.0 200 OK', 'Transfer-Encoding: chunked')}${HELLO}`,
      ),
    ),
    faulty('RFC 9112 5.2', 'a folded response field is answered with 502', field('X-A: 1\r\n 2'), hello),
    faulty(
      'RFC 9112 5.1',
      'a space before the colon of a response is answered with 502',
      field('X-A : 1'),
      all(hello, answered({ fields: ['X-A: 1'] })),
    ),
    faulty(
      'RFC 9112 2.2',
      'a bare CR in a response field is answered with 502',
      field('X-A: a\rb'),
      all(hello, lacksRaw('\r')),
    ),
    faulty(
      'RFC 9110 5.5',
      'NUL in a response field is answered with 502',
      field('X-A: a\0b'),
      all(hello, lacksRaw('\0')),
    ),
    own(faulty('RFC 9110 5.5', 'a control character in a response field is answered with 502', field('X-A: a\x01b'))),
    own(faulty('RFC 9112 5', 'a response field without a colon is answered with 502', field('nonsense'))),
    own(faulty('RFC 9112 5', 'a response field with an empty name is answered with 502', field(': 1'))),
    own(faulty('RFC 9112 5', 'a response field with a space in its name is answered with 502', field('X A: 1'))),
    own(
      faulty(
        'RFC 9112 2.2',
        'a bare LF in a response head is answered with 502',
        'HTTP/1.1 200 OK\nContent-Length: 5\n\nhello',
      ),
    ),
    own(
      faulty(
        'RFC 9112 4',
        'a status of two digits is answered with 502',
        `${head('HTTP/1.1 20 OK', 'Content-Length: 5')}hello`,
      ),
    ),
    own(
      faulty(
        'RFC 9112 4',
        'a status of four digits is answered with 502',
        `${head('HTTP/1.1 2000 OK', 'Content-Length: 5')}hello`,
      ),
    ),
    own(
      faulty(
        'RFC 9110 15',
        'a status under 100 is answered with 502',
        `${head('HTTP/1.1 099 OK', 'Content-Length: 5')}hello`,
      ),
    ),
    own(
      faulty(
        'RFC 9112 4',
        'a status that is no number is answered with 502',
        `${head('HTTP/1.1 abc OK', 'Content-Length: 5')}hello`,
      ),
    ),
    own(
      faulty(
        'RFC 9112 2.3',
        'a response of HTTP/2.0 is answered with 502',
        `${head('HTTP/2.0 200 OK', 'Content-Length: 5')}hello`,
      ),
    ),
    faulty('RFC 9112 4', 'a response that is not HTTP is answered with 502', 'garbage\r\n\r\n'),
  ],
}
