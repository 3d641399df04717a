import type { Check, Group } from '../case.ts'
import { answered, atMost, closed, relayed } from '../checks.ts'
import { answer, chunked, get, HELLO, HOST, head, ok, post } from '../text.ts'

const TEN = Array.from({ length: 10 }, (_, n) => `/${n}`)

/** Long enough for a proxy that does not wait to begin the next request. */
const MEANWHILE = { turns: 50 }
const CLOSE = 'Connection: close'

const statuses =
  (...wanted: readonly number[]): Check =>
  ({ responses }) =>
    responses.map(({ status, isWhole }) => (isWhole ? status : 0)).join() === wanted.join()
      ? undefined
      : `answered [${responses.map(({ status }) => status)}] instead of [${wanted}]`

export const pipelining: Group = {
  topic: 'Pipelining',
  cases: [
    {
      section: 'RFC 9112 9.3.2',
      name: 'two requests in one packet are answered in order',
      client: [get('/1') + get('/2')],
      upstream: [[ok('first')], [ok('second')]],
      expect: [
        answered({ body: 'first' }),
        answered({ body: 'second' }, 1),
        relayed({ target: '/1' }),
        relayed({ target: '/2' }, 1),
      ],
    },
    {
      section: 'RFC 9112 9.3.2',
      name: 'ten requests in one packet are answered in order',
      client: [TEN.map((target) => get(target)).join('')],
      upstream: TEN.map((target) => [ok(`answer ${target}`)]),
      expect: TEN.flatMap((target, n) => [relayed({ target }, n), answered({ body: `answer ${target}` }, n)]),
    },
    {
      section: 'RFC 9112 9.3.2',
      name: 'a request that is cut between packets is read',
      client: [`${get('/1')}GET /2 HT`, `TP/1.1\r\n${HOST}\r\n`, '\r\n'],
      expect: [answered(200), answered(200, 1), relayed({ target: '/2' }, 1)],
    },
    {
      section: 'RFC 9112 9.3.2',
      name: 'a GET behind a POST begins only when the POST is answered',
      client: [post('hello', 'Content-Length: 5') + get('/2')],
      upstream: [[MEANWHILE, answer('201 Created', '', 'Content-Length: 0')]],
      expect: [statuses(201, 200), onlyAfterAnswer, relayed({ target: '/2' }, 1)],
    },
    {
      section: 'RFC 9112 9.3.2',
      name: 'a POST behind a POST begins only when the first is answered',
      client: [post('first', 'Content-Length: 5') + post('other', 'Content-Length: 5')],
      upstream: [[MEANWHILE, ok('1')]],
      expect: [statuses(200, 200), onlyAfterAnswer, relayed({ body: 'first' }), relayed({ body: 'other' }, 1)],
    },
    {
      section: 'RFC 9112 9.3.2',
      name: 'a POST behind a GET begins only when the GET is answered',
      client: [get('/1') + post('hello', 'Content-Length: 5')],
      upstream: [[MEANWHILE, ok('1')]],
      expect: [statuses(200, 200), onlyAfterAnswer, relayed({ body: 'hello' }, 1)],
    },
    {
      section: 'RFC 9112 9.3.2',
      name: 'a request behind a chunked body is answered',
      client: [chunked(HELLO) + get('/2')],
      expect: [statuses(200, 200), relayed({ body: 'hello' }), relayed({ target: '/2' }, 1)],
    },
    {
      section: 'RFC 9112 9.3.2',
      name: 'a request behind a HEAD gets its own answer',
      client: [head('HEAD /1 HTTP/1.1', HOST) + get('/2')],
      upstream: [[head('HTTP/1.1 200 OK', 'Content-Length: 99')], [ok('second')]],
      expect: [answered({ body: '', fields: ['Content-Length: 99'] }), answered({ body: 'second' }, 1)],
    },
    {
      section: 'RFC 9112 9.3.2',
      name: 'a request behind one that is answered with 204 gets its own answer',
      client: [get('/1') + get('/2')],
      upstream: [[answer('204 No Content', '')], [ok('second')]],
      expect: [statuses(204, 200), answered({ body: 'second' }, 1)],
    },
    {
      section: 'RFC 9112 9.3.2',
      name: 'a request behind one that is answered with 304 gets its own answer',
      client: [get('/1', 'If-None-Match: "a"') + get('/2')],
      upstream: [[answer('304 Not Modified', '', 'ETag: "a"', 'Content-Length: 99')], [ok('second')]],
      expect: [statuses(304, 200), answered({ body: 'second' }, 1)],
    },
    {
      section: 'RFC 9112 9.3.2',
      name: 'an interim response stays with its request',
      client: [get('/1') + get('/2')],
      upstream: [[ok('first')], [head('HTTP/1.1 103 Early Hints', 'Link: </a>') + ok('second')]],
      expect: [answered({ body: 'first', interim: [] }), answered({ body: 'second' }, 1)],
    },
    {
      section: 'RFC 9112 9.6',
      name: 'a request behind one with Connection: close is not served',
      client: [get('/1', CLOSE) + get('/2')],
      expect: [statuses(200), closed, atMost(1)],
    },
    {
      section: 'RFC 9112 9.6',
      name: 'a request behind one of HTTP/1.0 is not served',
      client: [head('GET /1 HTTP/1.0', HOST) + get('/2')],
      expect: [statuses(200), closed, atMost(1)],
    },
    {
      section: 'RFC 9112 9.3.2',
      name: 'a malformed request behind a good one is refused after its answer',
      client: [`${get('/1')}GET / HTTP/1.1\r\nHost: a b\r\n\r\n`],
      upstream: [[ok('first')]],
      expect: [answered({ body: 'first' }), statuses(200, 400), closed, atMost(1)],
    },
    {
      section: 'RFC 9112 6.3',
      name: 'a malformed request behind a HEAD that is answered at once has the content of its refusal',
      ours: true,
      client: [`${head('HEAD /../x HTTP/1.1', HOST)}GET / HTTP/1.1\r\nHost: a b\r\n\r\n`],
      expect: [statuses(400, 400), answered(400, 1), closed, atMost(0)],
    },
    {
      section: 'RFC 9112 9.3.2',
      name: 'nothing behind a malformed request is served',
      client: [`${get('/1')}GET / HTTP/1.1\r\nHost: a b\r\n\r\n${get('/3')}`],
      expect: [statuses(200, 400), closed, atMost(1)],
    },
    {
      section: 'RFC 9110 7.8',
      name: 'an upgrade behind a pending request waits its turn',
      ours: true,
      client: [get('/1') + get('/2', 'Connection: Upgrade', 'Upgrade: websocket')],
      upstream: [
        [MEANWHILE, ok('first')],
        [head('HTTP/1.1 101 Switching', 'Connection: Upgrade', 'Upgrade: websocket')],
      ],
      expect: [statuses(200, 101), answered({ body: 'first' }), onlyAfterAnswer],
    },
    {
      section: 'RFC 9110 9.3.6',
      name: 'a CONNECT behind a pending request is refused after its answer',
      ours: true,
      client: [get('/1') + head('CONNECT b.example:80 HTTP/1.1', 'Host: b.example:80')],
      upstream: [[ok('first')]],
      expect: [statuses(200, 405), answered({ body: 'first' }), atMost(1)],
    },
    {
      section: 'RFC 9112 9.3.2',
      name: 'an empty line between two requests is ignored',
      client: [`${get('/1')}\r\n${get('/2')}`],
      expect: [statuses(200, 200), relayed({ target: '/2' }, 1)],
    },
    {
      section: 'RFC 9112 9.3.2',
      name: 'a hundred requests in one packet are all answered',
      ours: true,
      client: [get('/x').repeat(100)],
      expect: [statuses(...Array(100).fill(200))],
    },
  ],
}

/** The second request reached the upstream only when the first was answered. */
function onlyAfterAnswer(...[{ requests }]: Parameters<Check>): string | undefined {
  const [, second] = requests
  return second?.answeredBefore === 0 ? 'the second request came before the first was answered' : undefined
}
