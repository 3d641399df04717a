import type { Case, Group } from '../case.ts'
import { all, answered, atMost, closed, notWhole, refused, relayed, upstreamLacks } from '../checks.ts'
import { get, HOST, head, post } from '../text.ts'

const served = answered({ body: 'ok' })
const LARGE = 'x'.repeat(200_000)

const invalid = (value: string): Case => ({
  section: 'RFC 9112 6.3',
  name: `Content-Length: ${JSON.stringify(value)} is refused`,
  client: [post('hello', `Content-Length: ${value}`)],
  expect: [refused(400)],
})

export const contentLength: Group = {
  topic: 'Content-Length',
  cases: [
    {
      section: 'RFC 9112 6.2',
      name: 'a body of a given length is relayed',
      client: [post('hello', 'Content-Length: 5')],
      expect: [served, relayed({ body: 'hello' })],
    },
    {
      section: 'RFC 9112 6.2',
      name: 'a length of 0 is a body of nothing',
      client: [post('', 'Content-Length: 0')],
      expect: [served, relayed({ body: '' })],
    },
    {
      section: 'RFC 9112 6.2',
      name: 'leading zeros in a length are digits like others',
      client: [post('hello', 'Content-Length: 0005')],
      expect: [served, relayed({ body: 'hello' })],
    },
    {
      section: 'RFC 9112 6.2',
      name: 'a large body of a given length is relayed',
      client: [post(LARGE, `Content-Length: ${LARGE.length}`)],
      expect: [served, relayed({ body: LARGE })],
    },
    {
      section: 'RFC 9112 6.2',
      name: 'a body that arrives byte by byte is relayed',
      client: [post('', 'Content-Length: 20'), { bytewise: 'abcdefghij0123456789' }],
      expect: [served, relayed({ body: 'abcdefghij0123456789' })],
    },
    {
      section: 'RFC 9112 6.2',
      name: 'a body of every byte is relayed byte for byte',
      client: [post(String.fromCharCode(...Array(256).keys()), 'Content-Length: 256')],
      expect: [served, relayed({ body: String.fromCharCode(...Array(256).keys()) })],
    },
    {
      section: 'RFC 9112 6.2',
      name: 'the length stays what it was',
      ours: true,
      client: [post('hello', 'Content-Length: 5')],
      expect: [served, relayed({ framing: 'length', fields: ['Content-Length: 5'] })],
    },
    ...['', 'five', '+5', '-5', '0x5', '5 5', '5.0', '5;', '5\x0b', '5,', '\xb5', '5e0', '1_0', "'5'"].map(invalid),
    {
      section: 'RFC 9112 6.2',
      name: 'a length over 64 bits is refused',
      client: [post('hello', 'Content-Length: 18446744073709551621')],
      expect: [refused([400, 413])],
    },
    {
      section: 'RFC 9112 6.2',
      name: 'a length that no double holds exactly is refused or kept',
      client: [post('hello', 'Content-Length: 9007199254740993')],
      expect: [keptOrRefused],
    },
    {
      section: 'RFC 9112 6.3',
      name: 'a list of different lengths is refused',
      client: [post('hello', 'Content-Length: 5, 6')],
      expect: [refused(400)],
    },
    {
      section: 'RFC 9112 6.3',
      name: 'two different lengths are refused',
      client: [post('hello', 'Content-Length: 5', 'Content-Length: 6')],
      expect: [refused(400)],
    },
    {
      section: 'RFC 9112 6.3',
      name: 'a list of equal lengths is refused',
      client: [post('hello', 'Content-Length: 5, 5')],
      expect: [refused(400, { or: all(served, relayed({ body: 'hello' })) })],
    },
    {
      section: 'RFC 9112 6.3',
      name: 'two equal lengths are refused',
      client: [post('hello', 'Content-Length: 5', 'content-length: 5')],
      expect: [refused(400, { or: all(served, relayed({ body: 'hello' })) })],
    },
    {
      section: 'RFC 9112 6.3',
      name: 'two lengths of which one is 0 are refused',
      client: [post(get('/smuggled'), 'Content-Length: 0', `Content-Length: ${get('/smuggled').length}`)],
      expect: [refused(400), atMost(0)],
    },
    {
      section: 'RFC 9112 6.3',
      name: 'a body without a length is no body: its bytes are the next request',
      client: [post(get('/next'))],
      expect: [served, answered({ body: 'ok' }, 1), relayed({ body: '' }), relayed({ target: '/next' }, 1)],
    },
    {
      section: 'RFC 9112 8',
      name: 'a body shorter than its length is never whole at the upstream',
      client: [post('hel', 'Content-Length: 5'), 'FIN'],
      expect: [closed, notWhole],
    },
    {
      section: 'RFC 9112 8',
      name: 'a body that a reset cuts is never whole at the upstream',
      client: [post('hel', 'Content-Length: 5'), { upstreamHas: 'hel' }, 'RST'],
      expect: [notWhole, (seen) => (seen.closedUpstream > 0 ? undefined : 'the upstream connection is not closed')],
    },
    {
      section: 'RFC 9112 6.3',
      name: 'a length in an HTTP/1.0 request counts',
      client: [`${head('POST / HTTP/1.0', HOST, 'Content-Length: 5')}hello`],
      expect: [served, relayed({ body: 'hello' })],
    },
    {
      section: 'RFC 9110 7.6.1',
      name: 'a length that Connection names still frames the body',
      client: [post('hello', 'Connection: Content-Length', 'Content-Length: 5')],
      expect: [refusedOr(all(served, relayed({ body: 'hello' })))],
    },
    {
      section: 'RFC 9110 7.6.1',
      name: 'a length that Connection names hides no second request',
      client: [post(get('/smuggled'), 'Connection: Content-Length', `Content-Length: ${get('/smuggled').length}`)],
      expect: [refusedOr(all(served, relayed({ body: get('/smuggled') }))), atMost(1)],
    },
    {
      section: 'RFC 9112 5.2',
      name: 'a folded length is refused',
      client: [post('hello', 'Content-Length:\r\n 5')],
      expect: [refused(400, { or: all(served, relayed({ body: 'hello' }), upstreamLacks('\r\n 5')) })],
    },
    {
      section: 'RFC 9112 6.2',
      name: 'spaces around a length are no part of it',
      client: [post('hello', 'Content-Length:  5  ')],
      expect: [served, relayed({ body: 'hello' })],
    },
  ],
}

type Check = Case['expect'][number]

function refusedOr(other: Check): Check {
  const refusal = refused(400)
  return (seen) => (refusal(seen) === undefined ? undefined : other(seen))
}

/** A reader that computes in doubles takes it for one byte less. */
function keptOrRefused(...[seen]: Parameters<Check>): string | undefined {
  const [first = ''] = seen.upstreamReceived
  if (/\r\ncontent-length: 9007199254740993\r\n/i.test(first) || /\r\ntransfer-encoding: chunked\r\n/i.test(first))
    return undefined
  return refused([400, 413])(seen)
}
