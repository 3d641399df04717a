import type { Case, Check, Group, Step } from '../case.ts'
import { answered, badGateway, either } from '../checks.ts'
import { answer, get, HOST, head, ok, post } from '../text.ts'

const HINT = head('HTTP/1.1 103 Early Hints', 'Link: </a.css>; rel=preload')
const PROCESSING = head('HTTP/1.1 102 Processing')
const CONTINUE = head('HTTP/1.1 100 Continue')
const body = 'x'.repeat(400_000)

/** Interim responses before the final one, and those of them that reach the client. */
const interim = (section: string, name: string, before: string, reaching: readonly number[], ours?: true): Case => ({
  section,
  name,
  ...(ours && { ours }),
  client: [get()],
  upstream: [[before + ok('ok')]],
  expect: [answered({ body: 'ok', interim: reaching })],
})

/** A final answer while the client still sends. */
const early = (name: string, ...steps: readonly Step[]): Case => ({
  section: 'RFC 9110 7.5',
  name,
  client: [post(body, 'Content-Length: 900000')],
  upstream: [{ early: steps }],
  expect: [answered({ status: 413, body: 'too much' })],
})

const TOO_MUCH = answer('413 Content Too Large', 'too much', 'Content-Length: 8')
const TOO_MUCH_CLOSE = answer('413 Content Too Large', 'too much', 'Content-Length: 8', 'Connection: close')

export const interimAndEarly: Group = {
  topic: 'Responses: interim and early',
  cases: [
    interim('RFC 9110 15.2', '103 is relayed', HINT, [103]),
    interim('RFC 9110 15.2', '102 is relayed', PROCESSING, [102]),
    interim('RFC 9110 15.2', 'an unknown interim response is relayed', head('HTTP/1.1 199 Misc'), [199]),
    interim(
      'RFC 9110 15.2',
      'several interim responses are relayed in order',
      HINT + PROCESSING + HINT,
      [103, 102, 103],
    ),
    interim('RFC 9110 15.2.1', 'a 100 that nobody asked for is dropped', CONTINUE, [], true),
    interim('RFC 9110 15.2.1', 'a 100 that nobody asked for behind a 103 is dropped', HINT + CONTINUE, [103], true),
    interim('RFC 9110 15.2.1', 'a 100 that nobody asked for before a 103 is dropped', CONTINUE + HINT, [103], true),
    interim('RFC 9110 15.2.1', 'several 100 that nobody asked for are dropped', CONTINUE.repeat(5), [], true),
    interim('RFC 9110 15.2', 'a hundred interim responses are relayed', HINT.repeat(100), Array(100).fill(103), true),
    {
      section: 'RFC 9110 15.2',
      name: 'more than a hundred interim responses are answered with 502',
      ours: true,
      client: [get()],
      upstream: [[HINT.repeat(101) + ok('ok')]],
      expect: [badGateway('protocol')],
    },
    {
      section: 'RFC 9110 8.6',
      name: 'an interim response is relayed without a Content-Length',
      ours: true,
      client: [get()],
      upstream: [[head('HTTP/1.1 103 Early Hints', 'Link: </a>', 'Content-Length: 0') + ok('ok')]],
      expect: [answered({ body: 'ok', interim: [103] }), interimLacks('content-length')],
    },
    {
      section: 'RFC 9112 6.1',
      name: 'an interim response is relayed without a Transfer-Encoding',
      ours: true,
      client: [get()],
      upstream: [[head('HTTP/1.1 103 Early Hints', 'Link: </a>', 'Transfer-Encoding: chunked') + ok('ok')]],
      expect: [either(answered({ body: 'ok' }), answered(502)), interimLacks('transfer-encoding')],
    },
    {
      section: 'RFC 9110 7.6.1',
      name: 'fields that Connection of an interim response names end at the proxy',
      ours: true,
      client: [get()],
      upstream: [[head('HTTP/1.1 103 Early Hints', 'Link: </a>', 'Connection: X-Hop', 'X-Hop: 1') + ok('ok')]],
      expect: [answered({ body: 'ok', interim: [103] }), interimLacks('x-hop')],
    },
    {
      section: 'RFC 9110 15.2',
      name: 'an interim response keeps its fields',
      client: [get()],
      upstream: [[head('HTTP/1.1 103 Early Hints', 'Link: </a>', 'Link: </b>') + ok('ok')]],
      expect: [
        answered({ body: 'ok', interim: [103] }),
        ({ responses }) => {
          const links = responses[0]?.interim[0]?.fields.filter(([name]) => name.toLowerCase() === 'link')
          return links?.map(([, value]) => value).join(', ') === '</a>, </b>' ? undefined : 'fields are missing'
        },
      ],
    },
    {
      section: 'RFC 9110 15.2',
      name: 'an interim response is relayed before the final one comes',
      client: [get(), { clientHas: 'HTTP/1.1 103' }],
      upstream: [[HINT, { clientHas: 'HTTP/1.1 103' }, ok('ok')]],
      expect: [answered({ body: 'ok', interim: [103] })],
    },
    {
      section: 'RFC 9110 15.2',
      name: 'a client of HTTP/1.0 gets no interim response',
      client: [head('GET / HTTP/1.0', HOST)],
      upstream: [[HINT + PROCESSING + ok('ok')]],
      expect: [answered({ body: 'ok', interim: [] })],
    },
    {
      section: 'RFC 9110 15.2',
      name: 'a connection goes on behind interim responses',
      client: [get('/1'), { clientHas: '\r\n\r\nok' }, get('/2')],
      upstream: [[HINT + ok('ok')]],
      expect: [answered({ body: 'ok' }), answered({ body: 'ok', interim: [] }, 1)],
    },
    early('an early final response is relayed', TOO_MUCH),
    early('an early final response that closes is relayed', TOO_MUCH_CLOSE, 'FIN'),
    early('an early final response in two packets is relayed', TOO_MUCH.slice(0, 40), TOO_MUCH.slice(40)),
    {
      ...early('an early final response with a reset behind it is relayed', TOO_MUCH_CLOSE, { turns: 5 }, 'RST'),
      ours: true,
    },
    {
      ...early(
        'an early chunked response that closes is relayed',
        answer(
          '413 Content Too Large',
          '8\r\ntoo much\r\n0\r\n\r\n',
          'Transfer-Encoding: chunked',
          'Connection: close',
        ),
        'FIN',
      ),
    },
    {
      section: 'RFC 9112 9.3',
      name: 'an upstream connection whose request was not read whole is not used again',
      client: [post('hel', 'Content-Length: 9'), { clientHas: 'too much' }, 'lo1234', get('/2')],
      upstream: [{ early: [TOO_MUCH] }],
      expect: [answered({ status: 413, body: 'too much' }), closedOrServed],
    },
    {
      section: 'RFC 9110 15.6.3',
      name: 'an upload that the upstream resets without an answer is answered with 502',
      ours: true,
      client: [post(body, 'Content-Length: 900000')],
      upstream: [{ early: [{ upstreamHas: 'xxx' }, 'RST'] }],
      expect: [answered502],
    },
  ],
}

function answered502(...[seen]: Parameters<Check>): string | undefined {
  return either(answered(502), answered(504))(seen)
}

function interimLacks(name: string): Check {
  return ({ responses }) =>
    responses[0]?.interim.some(({ fields }) => fields.some(([one]) => one.toLowerCase() === name))
      ? `an interim response has ${name}`
      : undefined
}

/** The second request is answered on another upstream connection, or the client's connection is closed. */
function closedOrServed(...[seen]: Parameters<Check>): string | undefined {
  if (seen.requests.slice(1).some(({ connection }) => connection === seen.requests[0]?.connection)) {
    const [first] = seen.requests
    if (first !== undefined && !first.isWhole) return 'the connection of half a request is used again'
  }
  return seen.ending !== 'open' ? undefined : answered({ body: 'ok' }, 1)(seen)
}
