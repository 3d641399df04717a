import type { Case, Check, Group, Step } from '../case.ts'
import { answered, closed, either, endedBy, notWhole, overConnections, relayed, upstreamClosed } from '../checks.ts'
import { valuesOf } from '../message.ts'
import { answer, chunked, get, HELLO, HOST, head, ok, post } from '../text.ts'

const END = { clientHas: '\r\n\r\nok' }
const both = [answered({ body: 'ok' }), answered({ body: 'ok' }, 1)]

/** The client's connection goes on behind this exchange: a second request on it is answered. */
const goesOn = (name: string, first: string, reply: string, mark: string, ours?: true): Case => ({
  section: 'RFC 9112 9.3',
  name,
  ...(ours && { ours }),
  client: [first, { clientHas: mark }, get('/second')],
  upstream: [[reply]],
  expect: [answered({ body: 'ok' }, 1)],
})

/** Two requests, one behind the other, whose upstream connection is or is not used again. */
const reuse = (name: string, count: number, reply: readonly Step[], rest: Partial<Case> = {}): Case => ({
  section: 'RFC 9112 9.3',
  name,
  client: [get('/1'), { clientHas: '1st' }, get('/2')],
  upstream: [reply],
  expect: [answered({ body: 'ok' }, 1), overConnections(count)],
  ...rest,
})

/** The client sends FIN right behind its whole request, and is answered. */
const halfClosed = (name: string, request: string, body: string): Case => ({
  section: 'RFC 9112 9.6',
  name,
  ours: true,
  client: [request, 'FIN'],
  expect: [answered({ body: 'ok' }), relayed({ body }), closed],
})

const saysClose: Check = ({ responses }) =>
  valuesOf(responses.at(-1)?.fields ?? [], 'connection').some((value) => /\bclose\b/i.test(value))
    ? undefined
    : 'the answer does not say Connection: close'

export const persistence: Group = {
  topic: 'Persistence',
  cases: [
    {
      section: 'RFC 9112 9.3',
      name: 'a connection of HTTP/1.1 goes on',
      client: [get(), END, get('/2')],
      expect: both,
    },
    goesOn('a connection goes on behind a chunked request', chunked(HELLO), ok('1st'), '1st'),
    goesOn(
      'a connection goes on behind a chunked response',
      get(),
      answer('200 OK', '3\r\n1st\r\n0\r\n\r\n', 'Transfer-Encoding: chunked'),
      '0\r\n\r\n',
      true,
    ),
    goesOn('a connection goes on behind a 204', get(), answer('204 No Content', ''), '\r\n\r\n'),
    goesOn('a connection goes on behind a 304', get(), answer('304 Not Modified', '', 'ETag: "a"'), '\r\n\r\n'),
    goesOn('a connection goes on behind a HEAD', head('HEAD / HTTP/1.1', HOST), ok(''), '\r\n\r\n'),
    goesOn('a connection goes on behind a 404', get(), answer('404 Not Found', '1st', 'Content-Length: 3'), '1st'),
    goesOn('a connection goes on when the upstream closes its own', get(), ok('1st', 'Connection: close'), '1st', true),
    {
      ...goesOn('a connection goes on behind a close-delimited response', get(), '', '0\r\n\r\n', true),
      upstream: [[answer('200 OK', '1st'), 'FIN']],
    },
    {
      section: 'RFC 9112 9.6',
      name: 'a connection with Connection: close is closed behind the answer',
      client: [get('/', 'Connection: close')],
      expect: [answered({ body: 'ok' }), saysClose, endedBy('end')],
    },
    {
      section: 'RFC 9110 7.6.1',
      name: 'close in a list and in capitals closes',
      client: [get('/', 'Connection: X-A, CLOSE')],
      expect: [answered({ body: 'ok' }), closed],
    },
    {
      section: 'RFC 9110 7.6.1',
      name: 'close in a second Connection field closes',
      client: [get('/', 'Connection: X-A', 'Connection: close')],
      expect: [answered({ body: 'ok' }), closed],
    },
    {
      section: 'RFC 9112 9.6',
      name: "the client's Connection: close is not the upstream's",
      ours: true,
      client: [get('/', 'Connection: close')],
      expect: [
        answered({ body: 'ok' }),
        either(relayed({ absent: ['Connection'] }), relayed({ fields: ['Connection: keep-alive'] })),
      ],
    },
    {
      section: 'RFC 9112 9.3',
      name: 'a connection of HTTP/1.0 is closed behind the answer',
      client: [head('GET / HTTP/1.0', HOST)],
      expect: [answered({ body: 'ok' }), endedBy('end')],
    },
    {
      section: 'RFC 9112 9.3',
      name: 'a connection of HTTP/1.0 with keep-alive goes on, and the answer says so',
      ours: true,
      client: [head('GET / HTTP/1.0', HOST, 'Connection: keep-alive'), END, head('GET /2 HTTP/1.0', HOST)],
      expect: [answered({ fields: ['Connection: keep-alive'] }), answered({ body: 'ok' }, 1), closed],
    },
    {
      section: 'RFC 9112 9.3',
      name: 'a connection of HTTP/1.0 with keep-alive is closed behind a body without length',
      client: [head('GET / HTTP/1.0', HOST, 'Connection: keep-alive')],
      upstream: [[answer('200 OK', HELLO, 'Transfer-Encoding: chunked')]],
      expect: [either(answered({ body: 'hello', framing: 'close' }), answered({ body: 'hello', framing: 'length' }))],
    },
    {
      section: 'RFC 9112 9.6',
      name: 'an answer that closes says Connection: close',
      client: [post('', 'Content-Length: x')],
      expect: [saysClose, closed],
    },
    halfClosed('a GET with FIN right behind it is answered', get(), ''),
    halfClosed('a POST with FIN right behind it is answered', post('hello', 'Content-Length: 5'), 'hello'),
    halfClosed('a chunked POST with FIN right behind it is answered', chunked(HELLO), 'hello'),
    {
      section: 'RFC 9112 9.6',
      name: 'pipelined requests with FIN behind them are all answered',
      ours: true,
      client: [get('/1') + get('/2'), 'FIN'],
      expect: [...both, closed],
    },
    {
      section: 'RFC 9112 9.6',
      name: 'FIN while the upstream works does not end the request',
      ours: true,
      client: [get(), { upstreamHas: 'GET /' }, 'FIN'],
      upstream: [[{ turns: 50 }, ok('late')]],
      expect: [answered({ body: 'late' }), closed],
    },
    {
      section: 'RFC 9112 9.6',
      name: 'a client that resets ends its request at the upstream',
      ours: true,
      client: [get(), { upstreamHas: 'GET /' }, 'RST'],
      upstream: [[{ upstreamHas: 'never' }]],
      expect: [upstreamClosed(1)],
    },
    {
      section: 'RFC 9112 8',
      name: 'FIN within a body ends the request at the upstream',
      client: [post('hel', 'Content-Length: 5'), { upstreamHas: 'hel' }, 'FIN'],
      expect: [notWhole, upstreamClosed(1)],
    },
    { ...reuse('an upstream connection is used again', 1, [ok('1st')]), ours: true },
    {
      ...reuse('an upstream connection is used again behind a chunked body', 1, [
        answer('200 OK', '3\r\n1st\r\n0\r\n\r\n', 'Transfer-Encoding: chunked'),
      ]),
      ours: true,
    },
    {
      ...reuse('an upstream connection is used again behind a 204', 1, [answer('204 No Content', '')], {
        client: [get(), { clientHas: '\r\n\r\n' }, get('/2')],
      }),
      ours: true,
    },
    reuse('an upstream connection that says close is not used again', 2, [ok('1st', 'Connection: close')]),
    reuse('an upstream connection of HTTP/1.0 is not used again', 2, [
      'HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\n1st',
    ]),
    {
      ...reuse('an upstream connection of HTTP/1.0 with keep-alive may be used again', 1, []),
      upstream: [['HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\n1st']],
      expect: [answered({ body: '1st' }), answered({ body: 'ok' }, 1)],
    },
    reuse('an upstream connection that closes behind its response is not used again', 2, [ok('1st'), 'FIN'], {
      client: [get('/1'), { clientHas: '1st' }, { upstreamClosed: 1 }, get('/2')],
    }),
    reuse('an upstream connection that is reset behind its response is not used again', 2, [ok('1st'), 'RST'], {
      client: [get('/1'), { clientHas: '1st' }, { upstreamClosed: 1 }, get('/2')],
    }),
    {
      ...reuse('an upstream connection whose close comes with its response is not used again', 2, [ok('1st'), 'FIN']),
      client: [post('1', 'Content-Length: 1'), { clientHas: '1st' }, post('2', 'Content-Length: 1')],
      ours: true,
    },
    {
      ...reuse('an upstream connection that sends unasked bytes is closed', 2, []),
      client: [get('/1'), { clientHas: '1st' }, { upstreamClosed: 1 }, get('/2')],
      upstream: [[ok('1st'), { clientHas: '1st' }, { turns: 5 }, ok('evil')]],
      expect: [answered({ body: '1st' }), answered({ body: 'ok' }, 1), overConnections(2), noEvil],
    },
    {
      ...reuse('an upstream connection with unasked bytes behind its response is closed', 2, [ok('1st') + ok('evil')]),
      client: [get('/1'), { clientHas: '1st' }, { upstreamClosed: 1 }, get('/2')],
      expect: [answered({ body: '1st' }), answered({ body: 'ok' }, 1), noEvil],
    },
    {
      section: 'RFC 9112 9.5',
      name: 'an upstream that sends 408 on an idle connection answers no later request with it',
      client: [get('/1'), { clientHas: '1st' }, { upstreamClosed: 1 }, get('/2')],
      upstream: [
        [ok('1st'), { clientHas: '1st' }, { turns: 5 }, answer('408 Request Timeout', '', 'Connection: close'), 'FIN'],
      ],
      expect: [answered({ body: '1st' }), answered({ body: 'ok' }, 1)],
    },
  ],
}

function noEvil(...[{ responses, rest }]: Parameters<Check>): string | undefined {
  return [...responses.map(({ body }) => body), rest].some((text) => text.includes('evil')) ? 'evil' : undefined
}
