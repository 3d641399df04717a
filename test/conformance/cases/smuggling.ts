import type { Case, Check, Group } from '../case.ts'
import { answered, atMost, refused, relayed } from '../checks.ts'
import { chunked, get, HELLO, HOST, head, ok, post } from '../text.ts'

const served = answered({ body: 'ok' })
const INNER = get('/smuggled')

/**
 * A request that two readers may end in different places, with another request in its bytes. It is refused. For peers it is
 * enough that the upstream does not see the inner request as one of its own and that no framing is passed on in doubt.
 */
const hidden = (name: string, framing: readonly string[], body: string): Case => ({
  section: 'RFC 9112 11.2',
  name,
  client: [post(body, ...framing)],
  expect: [refused([400, 501], { or: innerIsBody }), neverInner],
})

/** No request at the upstream is the inner one. */
const neverInner: Check = ({ requests }) =>
  requests.some(({ startLine }) => startLine.includes('/smuggled'))
    ? 'the inner request reached the upstream'
    : undefined

const innerIsBody: Check = (seen) => {
  const [first] = seen.requests
  if (first === undefined || !first.isWhole) return 'no request at the upstream'
  return neverInner(seen)
}

/**
 * `Transfer-Encoding: chunked` written so that some readers miss it, with a length for those. A peer may also drop the line, and
 * then go by the length, or read it, and then drop the length.
 */
const veiled = (name: string, line: string): Case => ({
  section: 'RFC 9112 11.2',
  name: `${name} beside a length hides no request`,
  client: [post(`0\r\n\r\n${INNER}`, 'Content-Length: 5', line)],
  expect: [refused([400, 501], { or: oneFraming })],
})

const oneFraming: Check = ({ requests, upstreamReceived }) => {
  const [first] = requests
  if (first === undefined || !first.isWhole) return 'no request at the upstream'
  const isInDoubt = first.framing === 'length' && upstreamReceived.some((text) => /^\s*transfer.?encoding/im.test(text))
  return isInDoubt ? 'a length and chunked reach the upstream' : undefined
}

/** A request whose two readings both end in this case: a length covers the inner request, chunks do not. */
const clTe = (name: string, ...framing: readonly string[]): Case =>
  hidden(name, [`Content-Length: ${5 + INNER.length}`, ...framing], `0\r\n\r\n${INNER}`)

export const smuggling: Group = {
  topic: 'Request smuggling',
  cases: [
    clTe('a length before chunked hides no request', 'Transfer-Encoding: chunked'),
    hidden(
      'chunked before a length hides no request',
      ['Transfer-Encoding: chunked', `Content-Length: ${5 + INNER.length}`],
      `0\r\n\r\n${INNER}`,
    ),
    hidden(
      'a short length beside chunked hides no request',
      ['Content-Length: 4', 'Transfer-Encoding: chunked'],
      `${INNER.length.toString(16)}\r\n${INNER}\r\n0\r\n\r\n`,
    ),
    clTe(
      'two Transfer-Encoding fields beside a length hide no request',
      'Transfer-Encoding: x',
      'Transfer-Encoding: chunked',
    ),
    clTe('identity beside chunked hides no request', 'Transfer-Encoding: chunked, identity'),
    clTe('chunked in capitals beside a length hides no request', 'TRANSFER-ENCODING: CHUNKED'),
    clTe('chunked with a tab beside a length hides no request', 'Transfer-Encoding:\tchunked'),
    veiled('a space before the colon', 'Transfer-Encoding : chunked'),
    veiled('a tab before the colon', 'Transfer-Encoding\t: chunked'),
    veiled('a vertical tab before the value', 'Transfer-Encoding: \x0bchunked'),
    veiled('a form feed behind the value', 'Transfer-Encoding: chunked\x0c'),
    veiled('NUL behind the value', 'Transfer-Encoding: chunked\0'),
    veiled('a no-break space before the value', 'Transfer-Encoding: \xa0chunked'),
    veiled('a fold before the value', 'Transfer-Encoding:\r\n chunked'),
    veiled('a fold behind another field', 'X-A: 1\r\n Transfer-Encoding: chunked'),
    veiled('a bare LF before the field', 'X-A: 1\nTransfer-Encoding: chunked'),
    veiled('a bare CR before the field', 'X-A: 1\rTransfer-Encoding: chunked'),
    veiled('a quote around the value', "Transfer-Encoding: 'chunked'"),
    veiled('NUL in the name', 'Transfer-Encoding\0: chunked'),
    {
      section: 'RFC 9112 11.2',
      name: 'an underscore in the name Transfer_Encoding makes another field of it',
      client: [post('hello', 'Content-Length: 5', 'Transfer_Encoding: chunked')],
      expect: [served, relayed({ body: 'hello' }), atMost(1)],
    },
    hidden('a bare LF before a length hides no request', [`X-A: 1\nContent-Length: ${INNER.length}`], INNER),
    {
      ...hidden('a chunk extension with a bare LF hides no request', [], ''),
      client: [chunked(`5;\nhello\r\n${(INNER.length + 7).toString(16)}\r\n0\r\n\r\n${INNER}\r\n0\r\n\r\n`)],
      ours: true,
    },
    {
      section: 'RFC 9112 11.2',
      name: 'a request within a body is content',
      client: [post(INNER, `Content-Length: ${INNER.length}`)],
      expect: [served, relayed({ body: INNER }), atMost(1)],
    },
    {
      section: 'RFC 9112 11.2',
      name: 'a request within a chunk is content',
      client: [chunked(`${INNER.length.toString(16)}\r\n${INNER}\r\n0\r\n\r\n`)],
      expect: [served, relayed({ body: INNER }), atMost(1)],
    },
    {
      section: 'RFC 9112 11.2',
      name: 'a request within the content of a GET is content',
      client: [`${head('GET / HTTP/1.1', HOST, `Content-Length: ${INNER.length}`)}${INNER}`],
      expect: [served, relayed({ body: INNER }), atMost(1)],
    },
    {
      section: 'RFC 9112 11.2',
      name: 'a request within the content of a HEAD is content',
      client: [`${head('HEAD /h HTTP/1.1', HOST, `Content-Length: ${INNER.length}`)}${INNER}`],
      upstream: [[head('HTTP/1.1 200 OK', 'Content-Length: 0')]],
      expect: [answered(200), neverInner],
    },
    {
      section: 'RFC 9112 11.2',
      name: 'bytes behind a refused request are no request',
      client: [`${post('', 'Content-Length: x')}${INNER}`],
      expect: [refused(400), atMost(0)],
    },
    {
      section: 'RFC 9112 11.1',
      name: 'CR LF in a target adds no field',
      ours: true,
      client: [`GET /a\r\nX-Injected: 1 HTTP/1.1\r\n${HOST}\r\n\r\n`],
      expect: [refused(400), atMost(0)],
    },
    {
      section: 'RFC 9112 11.1',
      name: 'encoded CR LF in a target stays encoded',
      client: [get('/a%0d%0aX-Injected:%201')],
      expect: [served, relayed({ target: '/a%0d%0aX-Injected:%201', absent: ['X-Injected'] })],
    },
    {
      section: 'RFC 9112 11.2',
      name: 'an offer of an upgrade hides no content',
      client: [post(INNER, 'Connection: Upgrade', 'Upgrade: websocket', `Content-Length: ${INNER.length}`)],
      expect: [served, relayed({ body: INNER }), neverInner],
    },
    {
      section: 'RFC 9112 11.2',
      name: 'an expectation hides no content',
      client: [post(INNER, 'Expect: 100-continue', `Content-Length: ${INNER.length}`)],
      expect: [served, relayed({ body: INNER }), neverInner],
    },
    {
      section: 'RFC 9112 6.3',
      name: 'a response with several framings poisons no later answer',
      client: [get('/1'), { clientHas: 'HTTP/1.1 ' }, get('/2')],
      upstream: [
        [`${head('HTTP/1.1 200 OK', 'Content-Length: 5', 'Transfer-Encoding: chunked')}${HELLO}${ok('evil')}`],
      ],
      expect: [settled, noEvil],
    },
    {
      section: 'RFC 9112 9.2',
      name: 'a second response to one request answers no other',
      client: [get('/1'), { clientHas: 'first' }, get('/2')],
      upstream: [[`${ok('first')}${ok('evil')}`], [ok('second')]],
      expect: [answered({ body: 'first' }), answered({ body: 'second' }, 1), noEvil],
    },
    {
      section: 'RFC 9110 9.3.2',
      name: 'content in a response to HEAD answers no other request',
      client: [head('HEAD /1 HTTP/1.1', HOST), { clientHas: '\r\n\r\n' }, get('/2')],
      upstream: [[ok(ok('evil'))], [ok('second')]],
      expect: [answered({ body: '' }), answered({ body: 'second' }, 1), noEvil],
    },
  ],
}

function noEvil(...[{ responses, rest }]: Parameters<Check>): string | undefined {
  return [...responses.map(({ body }) => body), rest].some((text) => text.includes('evil'))
    ? 'a client got a response that belongs to no request'
    : undefined
}

/** Both requests are answered, or the connection is closed. */
function settled(...[{ responses, ending }]: Parameters<Check>): string | undefined {
  return ending !== 'open' || responses.length === 2 ? undefined : 'the second request is not answered'
}
