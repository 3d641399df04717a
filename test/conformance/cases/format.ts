import type { Case, Group } from '../case.ts'
import { all, answered, atMost, either, refused, relayed, upstreamLacks } from '../checks.ts'
import { get, HOST, head, HELLO, chunked, post } from '../text.ts'

const served = answered({ body: 'ok' })
/** Each bare CR may be replaced by a space: RFC 9112 2.2. */
const withoutCr = all(served, upstreamLacks('\rb'))

/** Heads that the grammar forbids and the RFCs let a lenient reader take. */
const ours = (name: string, bytes: string): Case => ({
  section: 'RFC 9112 2.2',
  name,
  ours: true,
  client: [bytes],
  expect: [refused(400)],
})

export const format: Group = {
  topic: 'Message format and line ends',
  cases: [
    {
      section: 'RFC 9112 2.1',
      name: 'a request is relayed',
      client: [get('/x')],
      expect: [served, relayed({ target: '/x' })],
    },
    {
      section: 'RFC 9112 2.2',
      name: 'one empty line before a request is ignored',
      client: [`\r\n${get('/x')}`],
      expect: [served],
    },
    {
      section: 'RFC 9112 2.2',
      name: 'a head that arrives byte by byte is read',
      client: [{ bytewise: get('/bytes', 'X-A: 1') }],
      expect: [served, relayed({ target: '/bytes', fields: ['X-A: 1'] })],
    },
    {
      section: 'RFC 9112 2.2',
      name: 'a chunked request that arrives byte by byte is read',
      client: [{ bytewise: chunked(HELLO) }],
      expect: [served, relayed({ body: 'hello' })],
    },
    {
      section: 'RFC 9112 2.2',
      name: 'a head that is cut between CR and LF is read',
      client: ['GET / HTTP/1.1\r', `\n${HOST}\r`, '\n\r', '\n'],
      expect: [served],
    },
    {
      section: 'RFC 9112 2.2',
      name: 'a body in the packet of its head is read',
      client: [post('hello', 'Content-Length: 5')],
      expect: [served, relayed({ body: 'hello' })],
    },
    ours('a request line that ends in a bare LF is refused', `GET / HTTP/1.1\n${HOST}\r\n\r\n`),
    ours('a field line that ends in a bare LF is refused', `GET / HTTP/1.1\r\n${HOST}\nX-A: 1\r\n\r\n`),
    ours('a head that ends in a bare LF is refused', `GET / HTTP/1.1\r\n${HOST}\r\n\n`),
    ours('a head with bare LFs alone is refused', `GET / HTTP/1.1\n${HOST}\n\n`),
    {
      section: 'RFC 9112 2.2',
      name: 'a bare CR in a request line is refused',
      client: [get('/a\rb')],
      expect: [refused(400, { or: withoutCr })],
    },
    {
      section: 'RFC 9112 2.2',
      name: 'a bare CR in a field value is refused',
      client: [get('/', 'X-A: a\rb')],
      expect: [refused(400, { or: withoutCr })],
    },
    {
      section: 'RFC 9112 2.2',
      name: 'a bare CR in a field name is refused',
      client: [get('/', 'X-A\rb: 1')],
      expect: [refused(400, { or: withoutCr })],
    },
    {
      section: 'RFC 9112 2.2',
      name: 'a bare CR in place of a line end is refused',
      client: [`GET / HTTP/1.1\rb: 1\r\n${HOST}\r\n\r\n`],
      expect: [refused(400, { or: withoutCr })],
    },
    {
      section: 'RFC 9112 2.2',
      name: 'white space before the first field is refused',
      client: [`GET / HTTP/1.1\r\n X-Folded: 1\r\n${HOST}\r\n\r\n`],
      expect: [refused(400, { or: all(served, relayed({ absent: ['X-Folded'] })) })],
    },
    {
      section: 'RFC 9110 5.5',
      name: 'NUL in a field value is refused',
      client: [get('/', 'X-A: a\0b')],
      expect: [refused(400, { or: all(served, upstreamLacks('\0')) })],
    },
    {
      section: 'RFC 9110 5.5',
      name: 'NUL in a request line is refused',
      client: [get('/a\0b')],
      expect: [refused(400)],
    },
    {
      section: 'RFC 9110 5.5',
      name: 'a control character in a field value is refused',
      ours: true,
      client: [get('/', 'X-A: a\x01b')],
      expect: [refused(400)],
    },
    {
      section: 'RFC 9110 5.5',
      name: 'DEL in a field value is refused',
      ours: true,
      client: [get('/', 'X-A: a\x7fb')],
      expect: [refused(400)],
    },
    {
      section: 'RFC 9110 5.5',
      name: 'bytes above 0x7F in a field value are kept',
      client: [get('/', 'X-A: \xe9\xff \xc3\xa9')],
      expect: [served, relayed({ fields: ['X-A: \xe9\xff \xc3\xa9'] })],
    },
    {
      section: 'RFC 9110 5.5',
      name: 'a tab within a field value is kept',
      client: [get('/', 'X-A: a\tb')],
      expect: [served, relayed({ fields: ['X-A: a\tb'] })],
    },
    { section: 'RFC 9112 3', name: 'garbage is refused', client: ['\x01\x02garbage\r\n\r\n'], expect: [refused(400)] },
    {
      section: 'RFC 9112 3',
      name: 'a TLS handshake on a plain port is refused',
      client: ['\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n'],
      expect: [refused(400)],
    },
    {
      section: 'RFC 9113 3.4',
      name: 'the preface of HTTP/2 is refused',
      ours: true,
      client: ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
      expect: [refused([400, 505])],
    },
    {
      section: 'RFC 9112 2.3',
      name: 'the name of the protocol in lower case is refused',
      client: [`GET / http/1.1\r\n${HOST}\r\n\r\n`],
      expect: [refused(400)],
    },
    {
      section: 'RFC 9110 15.6.6',
      name: 'a major version besides 1 is refused',
      client: [`GET / HTTP/2.0\r\n${HOST}\r\n\r\n`],
      expect: [refused([400, 505])],
    },
    {
      section: 'RFC 9110 2.5',
      name: 'a minor version above 1 is served as 1.1, or refused',
      client: [`GET / HTTP/1.2\r\n${HOST}\r\n\r\n`],
      expect: [either(served, refused([400, 505]))],
    },
    {
      section: 'RFC 9112 2.3',
      name: 'a version with two digits is refused',
      client: [`GET / HTTP/1.10\r\n${HOST}\r\n\r\n`],
      expect: [refused([400, 505])],
    },
    {
      section: 'RFC 9112 2.3',
      name: 'the proxy writes its own version, for a client of 1.0, too',
      client: [head('GET / HTTP/1.0', HOST)],
      expect: [served, either(startsWith('HTTP/1.1'), startsWith('HTTP/1.0'))],
    },
    {
      section: 'RFC 9112 3',
      name: 'HTTP/0.9 is refused',
      ours: true,
      client: ['GET /\r\n\r\n'],
      expect: [refused(400)],
    },
    ours('two spaces in a request line are refused', `GET  / HTTP/1.1\r\n${HOST}\r\n\r\n`),
    ours('a space behind the version is refused', `GET / HTTP/1.1 \r\n${HOST}\r\n\r\n`),
    ours('a space before the method is refused', ` GET / HTTP/1.1\r\n${HOST}\r\n\r\n`),
    ours('tabs in a request line are refused', `GET\t/\tHTTP/1.1\r\n${HOST}\r\n\r\n`),
    {
      section: 'RFC 9112 8',
      name: 'half a head with the end of the connection is no request',
      client: [`GET / HTTP/1.1\r\n${HOST}\r\n`, 'FIN'],
      expect: [(seen) => (seen.ending === 'open' ? 'the connection is not closed' : undefined), atMost(0)],
    },
  ],
}

function startsWith(version: string): Case['expect'][number] {
  return ({ responses }) => (responses[0]?.startLine.startsWith(version) ? undefined : `no ${version}`)
}
