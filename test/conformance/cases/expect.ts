import type { Case, Check, Group } from '../case.ts'
import { all, answered, atMost, closed, either, refused, relayed, upstreamClosed } from '../checks.ts'
import { answer, get, HELLO, HOST, head, ok, post } from '../text.ts'

const CONTINUE = 'HTTP/1.1 100'
const UNAUTHORIZED = answer('401 Unauthorized', 'no', 'Content-Length: 2', 'WWW-Authenticate: Basic realm="a"')
const waiting = (...fields: readonly string[]) => post('', 'Expect: 100-continue', 'Content-Length: 5', ...fields)
const interim =
  (max: number, n = 0): Check =>
  ({ responses }) => {
    const count = responses[n]?.interim.length ?? 0
    return count <= max ? undefined : `${count} interim responses`
  }

const other = (value: string): Case => ({
  section: 'RFC 9110 10.1.1',
  name: `Expect: ${value} is answered with 417`,
  ours: true,
  client: [post('hello', `Expect: ${value}`, 'Content-Length: 5')],
  expect: [answered(417), atMost(0)],
})

export const expectation: Group = {
  topic: 'Expect',
  cases: [
    {
      section: 'RFC 9110 10.1.1',
      name: 'a client that waits for 100 gets it and is answered',
      client: [waiting(), { clientHas: CONTINUE }, 'hello'],
      upstream: [{ early: [head('HTTP/1.1 100 Continue'), { upstreamHas: 'hello' }, ok('ok')] }],
      expect: [answered({ body: 'ok' }), relayed({ body: 'hello' })],
    },
    {
      section: 'RFC 9110 10.1.1',
      name: 'a client that waits for 100 gets it although the upstream sends none',
      ours: true,
      client: [waiting(), { clientHas: CONTINUE }, 'hello'],
      expect: [answered({ body: 'ok' }), relayed({ body: 'hello' })],
    },
    {
      section: 'RFC 9110 10.1.1',
      name: 'a chunked body is waited for like others',
      client: [post('', 'Expect: 100-continue', 'Transfer-Encoding: chunked'), { clientHas: CONTINUE }, HELLO],
      upstream: [{ early: [head('HTTP/1.1 100 Continue'), { upstreamHas: 'hello' }, ok('ok')] }],
      expect: [answered({ body: 'ok' }), relayed({ body: 'hello' })],
    },
    {
      section: 'RFC 9110 10.1.1',
      name: 'a list of 100-continue alone is that expectation',
      ours: true,
      client: [waiting('Expect: 100-continue,'), { clientHas: CONTINUE }, 'hello'],
      expect: [answered({ body: 'ok' }), relayed({ body: 'hello' })],
    },
    {
      section: 'RFC 9110 10.1.1',
      name: '100-Continue is known in any case',
      client: [post('', 'expect: 100-CONTINUE', 'Content-Length: 5'), { clientHas: CONTINUE }, 'hello'],
      upstream: [{ early: [head('HTTP/1.1 100 Continue'), { upstreamHas: 'hello' }, ok('ok')] }],
      expect: [answered({ body: 'ok' }), relayed({ body: 'hello' })],
    },
    {
      section: 'RFC 9110 10.1.1',
      name: 'the client gets one 100, also when the upstream sends one',
      ours: true,
      client: [waiting(), { clientHas: CONTINUE }, 'hello'],
      upstream: [{ early: [head('HTTP/1.1 100 Continue'), { upstreamHas: 'hello' }, ok('ok')] }],
      expect: [answered({ body: 'ok' }), interim(1)],
    },
    {
      section: 'RFC 9110 10.1.1',
      name: 'a final answer of the upstream is relayed, behind a 100 or without',
      client: [waiting(), { clientHas: 'HTTP/1.1 ' }, 'hello'],
      upstream: [{ early: [UNAUTHORIZED] }],
      expect: [answered({ status: 401, body: 'no' }), interim(1)],
    },
    {
      section: 'RFC 9110 10.1.1',
      name: 'a final answer of the upstream reaches a client that still waits',
      ours: true,
      client: [waiting()],
      upstream: [{ early: [UNAUTHORIZED] }],
      expect: [answered({ status: 401, body: 'no' })],
    },
    {
      section: 'RFC 9110 10.1.1',
      name: 'a body that does not wait is relayed',
      client: [post('hello', 'Expect: 100-continue', 'Content-Length: 5')],
      expect: [answered({ body: 'ok' }), relayed({ body: 'hello' }), interim(1)],
    },
    {
      section: 'RFC 9110 10.1.1',
      name: 'an expectation without content is no fault',
      client: [get('/', 'Expect: 100-continue')],
      expect: [answered({ body: 'ok' }), interim(1)],
    },
    {
      section: 'RFC 9110 10.1.1',
      name: 'an expectation in HTTP/1.0 is ignored',
      client: [`${head('POST / HTTP/1.0', HOST, 'Expect: 100-continue', 'Content-Length: 5')}hello`],
      expect: [answered({ body: 'ok', interim: [] }), relayed({ body: 'hello' })],
    },
    {
      section: 'RFC 9110 10.1.1',
      name: 'a connection goes on behind an expectation that was met',
      client: [waiting(), { clientHas: CONTINUE }, 'hello', { clientHas: '\r\n\r\nok' }, get('/2')],
      upstream: [{ early: [head('HTTP/1.1 100 Continue'), { upstreamHas: 'hello' }, ok('ok')] }],
      expect: [answered({ body: 'ok' }), answered({ body: 'ok' }, 1), interim(0, 1)],
    },
    {
      section: 'RFC 9110 10.1.1',
      name: 'bytes behind a refused expectation are no request unless they are its body',
      client: [`${waiting()}${'hello'}${get('/2')}`],
      upstream: [{ early: [answer('413 Content Too Large', '', 'Content-Length: 0', 'Connection: close'), 'FIN'] }],
      expect: [answered(413), either(closed, answered({ body: 'ok' }, 1)), noBodyAsRequest],
    },
    {
      section: 'RFC 9110 10.1.1',
      name: 'no 100 is sent while the upstream refuses connections',
      ours: true,
      client: [waiting()],
      upstream: 'refuses',
      expect: [answered({ status: 502, interim: [] })],
    },
    {
      section: 'RFC 9110 15.6.3',
      name: 'an upstream that refuses connections gives a gateway error',
      client: [get()],
      upstream: 'refuses',
      expect: [either(answered(502), either(answered(503), answered(504)))],
    },
    {
      section: 'RFC 9110 10.1.1',
      name: 'the upload ends when the client leaves instead of going on',
      client: [waiting(), { clientHas: CONTINUE }, 'hel', { upstreamHas: 'hel' }, 'RST'],
      upstream: [{ early: [head('HTTP/1.1 100 Continue')] }],
      expect: [upstreamClosed(1)],
    },
    other('200-ok'),
    other('100-continue, x'),
    other('100-continue;q=1'),
    other('"100-continue"'),
    {
      section: 'RFC 9110 10.1.1',
      name: 'an expectation besides 100-continue in HTTP/1.0 is refused or ignored',
      ours: true,
      client: [`${head('POST / HTTP/1.0', HOST, 'Expect: x', 'Content-Length: 5')}hello`],
      expect: [either(refused(417), all(answered({ body: 'ok' }), relayed({ body: 'hello' })))],
    },
  ],
}

function noBodyAsRequest(...[{ requests }]: Parameters<Check>): string | undefined {
  return requests.some(({ startLine }) => startLine.startsWith('hello')) ? 'a body was read as a request' : undefined
}
