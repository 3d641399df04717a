import type { Case, Check, Group, Step } from '../case.ts'
import { aborted, answered, closed, either } from '../checks.ts'
import { answer, get, HOST, head, ok, post } from '../text.ts'

const HINT = head('HTTP/1.1 103 Early Hints', 'Link: </a.css>; rel=preload')

/** The response breaks off, and the client can tell. */
const cut = (name: string, ...reply: readonly Step[]): Case => ({
  section: 'RFC 9112 8',
  name,
  client: [get()],
  upstream: [reply],
  expect: [aborted],
})

/** The upstream breaks off without a whole response. */
const gone = (name: string, ...steps: readonly Step[]): Case => ({
  section: 'RFC 9110 15.6.3',
  name,
  client: [post('1', 'Content-Length: 1')],
  upstream: [steps],
  expect: [answered502],
})

export const broken: Group = {
  topic: 'Responses: broken off',
  cases: [
    cut('a body shorter than its length aborts', answer('200 OK', 'hel', 'Content-Length: 5'), 'FIN'),
    cut('a body that a reset cuts aborts', answer('200 OK', 'hel', 'Content-Length: 5'), { clientHas: 'hel' }, 'RST'),
    cut('a chunk that is cut aborts', answer('200 OK', '5\r\nhel', 'Transfer-Encoding: chunked'), 'FIN'),
    cut(
      'a chunked body without its last chunk aborts',
      answer('200 OK', '5\r\nhello\r\n', 'Transfer-Encoding: chunked'),
      'FIN',
    ),
    cut(
      'a chunked body without its final line end aborts',
      answer('200 OK', '5\r\nhello\r\n0\r\n', 'Transfer-Encoding: chunked'),
      'FIN',
    ),
    cut('a chunk size that is no number aborts', answer('200 OK', '5\r\nhello\r\nx\r\n', 'Transfer-Encoding: chunked')),
    cut(
      'a chunk longer than its size aborts',
      answer('200 OK', '4\r\nhello\r\n0\r\n\r\n', 'Transfer-Encoding: chunked'),
    ),
    cut(
      'a chunk size over 64 bits aborts',
      answer('200 OK', '10000000000000005\r\nhello\r\n0\r\n\r\n', 'Transfer-Encoding: chunked'),
    ),
    cut('a close-delimited body that a reset ends aborts', answer('200 OK', 'hello'), { clientHas: 'hello' }, 'RST'),
    {
      section: 'RFC 9112 8',
      name: 'a client of HTTP/1.0 can tell that a body broke off',
      ours: true,
      client: [head('GET / HTTP/1.0', HOST)],
      upstream: [[answer('200 OK', '5\r\nhello\r\n', 'Transfer-Encoding: chunked'), { clientHas: 'hello' }, 'FIN']],
      expect: [({ ending }) => (ending === 'reset' ? undefined : `the connection: ${ending} instead of reset`)],
    },
    gone('FIN instead of a response is answered with 502', 'FIN'),
    gone('a reset instead of a response is answered with 502', 'RST'),
    gone('FIN within a status line is answered with 502', 'HTTP/1.1 20', 'FIN'),
    gone('FIN within a head is answered with 502', 'HTTP/1.1 200 OK\r\nContent-Le', 'FIN'),
    gone('FIN behind an interim response is answered with 502', HINT, 'FIN'),
    {
      section: 'RFC 9112 9.6',
      name: 'a whole response with a reset behind it is relayed',
      client: [get()],
      upstream: [[ok('hello'), { clientHas: 'hello' }, 'RST']],
      expect: [answered({ body: 'hello' })],
    },
    {
      section: 'RFC 9110 9.2.2',
      name: 'a POST whose connection broke off is not sent again',
      client: [post('hello', 'Content-Length: 5')],
      upstream: [['RST']],
      expect: [answered502, ({ requests }) => (requests.length === 1 ? undefined : `${requests.length} requests`)],
    },
    {
      section: 'RFC 9112 9.3.1',
      name: 'a POST on a connection that was used before is not sent again once it was received',
      client: [get('/1'), { clientHas: '1st' }, post('hello', 'Content-Length: 5')],
      upstream: [[ok('1st')], ['RST']],
      expect: [
        answered({ body: '1st' }),
        either(either(answered(502, 1), answered(504, 1)), peersClose),
        ({ requests }) => (requests.length === 2 ? undefined : `${requests.length} requests`),
      ],
    },
    {
      section: 'RFC 9112 8',
      name: 'a response that broke off is the last one on its connection',
      client: [get('/1') + get('/2')],
      upstream: [[answer('200 OK', 'hel', 'Content-Length: 5'), 'FIN']],
      expect: [closed, ({ responses }) => (responses.length === 1 ? undefined : `${responses.length} responses`)],
    },
  ],
}

function answered502(...[seen]: Parameters<Check>): string | undefined {
  return either(answered(502), answered(504))(seen)
}

/** A peer may close, so that the client knows as much as if it had used the connection itself: RFC 9112 9.3.1. */
function peersClose(...[{ isStrict, ending }]: Parameters<Check>): string | undefined {
  return !isStrict && ending !== 'open' ? undefined : 'neither 502 nor closed'
}
