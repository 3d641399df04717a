import type { Case, Group } from '../case.ts'
import { answered, atMost, badGateway, behind, closed, relayed, upstreamClosed, upstreamGot } from '../checks.ts'
import { chunked, get, HELLO, HOST, head, post } from '../text.ts'

const OFFER = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: AQ==']
const SWITCH = head('HTTP/1.1 101 Switching Protocols', 'Connection: Upgrade', 'Upgrade: websocket', 'X-Up: 1')
const MARK = { clientHas: '101 ' }

/** Upgrades are optional for every recipient: RFC 9110 7.8. */
const tunnel = (name: string, rest: Pick<Case, 'client' | 'upstream' | 'expect'>): Case => ({
  section: 'RFC 9110 7.8',
  name,
  ours: true,
  ...rest,
})

/** An offer that is served as the plain request that it also is. Any recipient may ignore an offer. */
const plain = (name: string, request: string, body = '', ours?: true): Case => ({
  section: 'RFC 9110 7.8',
  name,
  ...(ours && { ours }),
  client: [request],
  expect: [answered({ body: 'ok' }), relayed({ body }), ...(ours ? [relayed({ absent: ['Upgrade'] })] : [])],
})

export const upgrades: Group = {
  topic: 'Upgrade',
  cases: [
    tunnel('a WebSocket is offered to the upstream, with its fields', {
      client: [get('/chat?a=1', ...OFFER)],
      upstream: [[SWITCH]],
      expect: [
        relayed({
          target: '/chat?a=1',
          fields: ['Upgrade: websocket', 'Sec-WebSocket-Key: AQ==', 'Connection: upgrade'],
        }),
      ].map(anyCase),
    }),
    tunnel('the 101 relays what the upstream chose, with its fields', {
      client: [get('/', ...OFFER)],
      upstream: [[head('HTTP/1.1 101 Go', 'Connection: upgrade', 'Upgrade: WebSocket', 'Sec-WebSocket-Protocol: b')]],
      expect: [answered({ status: 101, fields: ['Upgrade: WebSocket', 'Sec-WebSocket-Protocol: b'] })],
    }),
    {
      section: 'RFC 9110 8.6',
      name: 'a 101 is relayed without a Content-Length',
      ours: true,
      client: [get('/', ...OFFER)],
      upstream: [[head('HTTP/1.1 101 Go', 'Connection: upgrade', 'Upgrade: websocket', 'Content-Length: 5'), 'hello']],
      expect: [answered({ status: 101, fields: ['Upgrade: websocket'], absent: ['Content-Length'] }), behind('hello')],
    },
    {
      section: 'RFC 9110 15.5.22',
      name: 'a 426 says which protocol its client has to ask for, and no other than those that are passed on',
      ours: true,
      client: [get(), { clientHas: '426' }, get('/2')],
      upstream: [
        [head('HTTP/1.1 426 Upgrade Required', 'Connection: Upgrade', 'Upgrade: h2c, WebSocket', 'Content-Length: 0')],
      ],
      expect: [
        answered({ status: 426, fields: ['Upgrade: WebSocket', 'Connection: upgrade, keep-alive'] }),
        answered({ body: 'ok' }, 1),
      ],
    },
    tunnel('bytes go both ways through a tunnel', {
      client: [get('/', ...OFFER), MARK, 'ping\0\xff'],
      upstream: [[SWITCH, { upstreamHas: 'ping\0\xff' }, 'pong\0\xff']],
      expect: [answered(101), behind('pong\0\xff')],
    }),
    tunnel('bytes in the packet of the 101 are relayed', {
      client: [get('/', ...OFFER)],
      upstream: [[`${SWITCH}early`]],
      expect: [answered(101), behind('early')],
    }),
    tunnel('bytes that the client sends before the 101 are relayed', {
      client: [`${get('/', ...OFFER)}early`],
      upstream: [[{ turns: 20 }, SWITCH, { upstreamHas: 'early' }, 'late']],
      expect: [answered(101), behind('late')],
    }),
    tunnel('bytes that look like a request are bytes of the tunnel', {
      client: [get('/', ...OFFER), MARK, get('/inner')],
      upstream: [[SWITCH]],
      expect: [answered(101), upstreamGot(get('/inner'))],
    }),
    tunnel('a large message goes through a tunnel', {
      client: [get('/', ...OFFER), MARK, 'x'.repeat(200_000)],
      upstream: [[SWITCH, { upstreamHas: 'x'.repeat(200_000) }, 'y'.repeat(200_000)]],
      expect: [answered(101), behind('y'.repeat(200_000))],
    }),
    tunnel("the client's FIN reaches the upstream, whose last bytes come back", {
      client: [get('/', ...OFFER), MARK, 'bye', 'FIN'],
      upstream: [[SWITCH, { upstreamHas: 'bye' }, 'bye, too']],
      expect: [answered(101), behind('bye, too'), closed, upstreamClosed(1)],
    }),
    tunnel("the upstream's FIN reaches the client", {
      client: [get('/', ...OFFER)],
      upstream: [[`${SWITCH}bye`, 'FIN']],
      expect: [answered(101), behind('bye'), closed],
    }),
    tunnel("the upstream's reset ends the client's connection", {
      client: [get('/', ...OFFER)],
      upstream: [[SWITCH, { clientHas: '101 ' }, 'RST']],
      expect: [answered(101), closed],
    }),
    tunnel("the client's reset ends the upstream's connection", {
      client: [get('/', ...OFFER), MARK, 'RST'],
      upstream: [[SWITCH]],
      expect: [answered(101), upstreamClosed(1)],
    }),
    tunnel('a refused upgrade is relayed with its content', {
      client: [get('/', ...OFFER)],
      upstream: [[`${head('HTTP/1.1 401 No', 'Content-Length: 2')}no`]],
      expect: [answered({ status: 401, body: 'no' })],
    }),
    tunnel('a 200 instead of the switch is relayed', {
      client: [get('/', ...OFFER)],
      expect: [answered({ body: 'ok' })],
    }),
    tunnel('interim responses come before the switch', {
      client: [get('/', ...OFFER)],
      upstream: [[`${head('HTTP/1.1 103 Early Hints', 'Link: </a>')}${SWITCH}`]],
      expect: [answered({ status: 101, interim: [103] })],
    }),
    tunnel('the names of protocol and option are known in any case', {
      client: [get('/', 'connection: UPGRADE', 'upgrade: WebSocket')],
      upstream: [[SWITCH]],
      expect: [answered(101)],
    }),
    tunnel('upgrade in a list of options is an offer', {
      client: [get('/', 'Connection: keep-alive, Upgrade', 'Upgrade: websocket')],
      upstream: [[SWITCH]],
      expect: [answered(101)],
    }),
    plain('an offer of TLS is served as plain HTTP', get('/', 'Connection: Upgrade', 'Upgrade: TLS/1.2'), '', true),
    plain(
      'an offer of h2c is served as plain HTTP',
      get('/', 'Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABk'),
      '',
      true,
    ),
    plain(
      'an unknown protocol is served as plain HTTP',
      get('/', 'Connection: Upgrade', 'Upgrade: made-up/1'),
      '',
      true,
    ),
    plain(
      'an offer of TLS beside a body loses no byte of it',
      post('hello', 'Connection: Upgrade', 'Upgrade: TLS/1.2', 'Content-Length: 5'),
      'hello',
    ),
    plain(
      'an offer of a WebSocket beside a body loses no byte of it',
      post('hello', 'Connection: Upgrade', 'Upgrade: websocket', 'Content-Length: 5'),
      'hello',
    ),
    plain(
      'an offer of a WebSocket beside a chunked body loses no byte of it',
      chunked(HELLO, 'Connection: Upgrade', 'Upgrade: websocket'),
      'hello',
    ),
    plain('Upgrade without its connection option is no offer', get('/', 'Upgrade: websocket'), '', true),
    plain('the connection option without Upgrade is no offer', get('/', 'Connection: Upgrade')),
    plain('an offer in HTTP/1.0 is ignored', head('GET / HTTP/1.0', HOST, 'Connection: Upgrade', 'Upgrade: websocket')),
    {
      section: 'RFC 9110 7.8',
      name: 'a connection goes on behind an offer that was not taken',
      client: [get('/1', 'Connection: Upgrade', 'Upgrade: TLS/1.2'), { clientHas: '\r\n\r\nok' }, get('/2')],
      expect: [answered({ body: 'ok' }), answered({ body: 'ok' }, 1)],
    },
    {
      section: 'RFC 9110 15.2.2',
      name: 'a 101 that nobody asked for is not relayed',
      ours: true,
      client: [get()],
      upstream: [[`${SWITCH}bytes`]],
      expect: [badGateway('protocol'), atMost(1)],
    },
    {
      section: 'RFC 9110 15.2.2',
      name: 'a 101 to a protocol that was not passed on is not relayed',
      ours: true,
      client: [get('/', 'Connection: Upgrade', 'Upgrade: h2c')],
      upstream: [[head('HTTP/1.1 101 Switching Protocols', 'Connection: Upgrade', 'Upgrade: h2c')]],
      expect: [badGateway('protocol')],
    },
  ],
}

/** The words in Connection are compared in any case. */
function anyCase(check: Case['expect'][number]): Case['expect'][number] {
  return (seen) =>
    check({
      ...seen,
      requests: seen.requests.map((request) => ({
        ...request,
        fields: request.fields.map(
          ([name, value]) => [name, name.toLowerCase() === 'connection' ? value.toLowerCase() : value] as const,
        ),
      })),
    })
}
