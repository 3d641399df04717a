import type { Case, Group } from '../case.ts'
import { answered, either, relayed, strictly, upstreamLacks } from '../checks.ts'
import { get, HOST, head, ok, post } from '../text.ts'

const served = answered({ body: 'ok' })

/** Request fields that end at the proxy. */
const ends = (name: string, fields: readonly string[], absent: readonly string[], ours?: true): Case => ({
  section: 'RFC 9110 7.6.1',
  name,
  ...(ours && { ours }),
  client: [get('/', ...fields, 'X-End: 1')],
  expect: [served, relayed({ absent, fields: ['X-End: 1'] })],
})

/** Response fields that end at the proxy. */
const endsBack = (name: string, fields: readonly string[], absent: readonly string[], ours?: true): Case => ({
  section: 'RFC 9110 7.6.1',
  name,
  ...(ours && { ours }),
  client: [get()],
  upstream: [[ok('ok', ...fields, 'X-End: 1')]],
  expect: [answered({ body: 'ok', absent, fields: ['X-End: 1'] })],
})

/** Request fields that go on, or are added, with these values at the upstream. */
const adds = (section: string, name: string, sent: readonly string[], fields: readonly string[]): Case => ({
  section,
  name,
  ours: true,
  client: [get('/', ...sent)],
  expect: [served, relayed({ fields })],
})

export const hopByHop: Group = {
  topic: 'Hop-by-hop and forwarding fields',
  cases: [
    ends('a field that Connection names ends at the proxy', ['Connection: X-Hop', 'X-Hop: 1'], ['X-Hop']),
    ends(
      'all fields that Connection names end',
      ['Connection: X-A, x-b ,X-C', 'X-A: 1', 'X-B: 2', 'X-C: 3'],
      ['X-A', 'X-B', 'X-C'],
    ),
    ends(
      'fields that a second Connection names end',
      ['Connection: X-A', 'Connection: X-B', 'X-A: 1', 'X-B: 2'],
      ['X-A', 'X-B'],
    ),
    ends('a field is named in any case', ['connection: x-hop', 'X-HOP: 1'], ['X-Hop']),
    ends('a named field ends also beside close', ['Connection: close, X-Hop', 'X-Hop: 1'], ['X-Hop']),
    ends('a named field ends also when it stands before Connection', ['X-Hop: 1', 'Connection: X-Hop'], ['X-Hop']),
    ends('every field of a named name ends', ['X-Hop: 1', 'Connection: X-Hop', 'X-Hop: 2'], ['X-Hop']),
    ends('empty elements in Connection name nothing', ['Connection: , X-Hop,,', 'X-Hop: 1'], ['X-Hop']),
    ends('Keep-Alive ends at the proxy', ['Connection: Keep-Alive', 'Keep-Alive: timeout=5'], ['Keep-Alive']),
    ends('Proxy-Connection ends at the proxy', ['Proxy-Connection: keep-alive'], ['Proxy-Connection']),
    ends('TE ends at the proxy', ['Connection: TE', 'TE: trailers'], ['TE']),
    ends('Upgrade ends at the proxy', ['Connection: Upgrade', 'Upgrade: made-up'], ['Upgrade']),
    ends('Keep-Alive ends also when Connection does not name it', ['Keep-Alive: timeout=5'], ['Keep-Alive'], true),
    ends('TE ends also when Connection does not name it', ['TE: gzip'], ['TE'], true),
    ends('Proxy-Authorization ends at the proxy', ['Proxy-Authorization: Basic eDp5'], ['Proxy-Authorization'], true),
    ends('Expect ends at the proxy', ['Expect: 100-continue'], ['Expect'], true),
    {
      section: 'RFC 9110 7.6.1',
      name: "a forwarding field that Connection names is the proxy's own at the upstream",
      ours: true,
      client: [get('/', 'Connection: X-Forwarded-Proto', 'X-Forwarded-Proto: https')],
      expect: [served, relayed({ fields: ['X-Forwarded-Proto: http'] })],
    },
    {
      section: 'RFC 9110 7.6.1',
      name: "the client's Connection is not the upstream's",
      client: [get('/', 'Connection: X-Hop', 'X-Hop: 1')],
      expect: [served, upstreamLacks('X-Hop')],
    },
    {
      section: 'RFC 9110 7.6.3',
      name: 'Via is added to a request',
      client: [get()],
      expect: [served, strictly(relayed({ fields: ['Via: 1.1 breakwater'] })), hasVia(/^1\.1 \S/)],
    },
    {
      section: 'RFC 9110 7.6.3',
      name: 'Via is added behind those of earlier recipients',
      client: [get('/', 'Via: 1.0 fred, 1.1 p.example')],
      expect: [served, hasVia(/^1\.0 fred, ?1\.1 p\.example, ?1\.1 \S/)],
    },
    {
      section: 'RFC 9110 7.6.3',
      name: "Via says the client's version",
      client: [head('GET / HTTP/1.0', HOST)],
      expect: [served, hasVia(/^1\.0 \S/)],
    },
    {
      section: 'RFC 9110 7.6.3',
      name: 'Via is added to a response',
      ours: true,
      client: [get()],
      upstream: [[ok('ok', 'Via: 1.0 fred')]],
      expect: [answered({ fields: ['Via: 1.0 fred, 1.1 breakwater'] })],
    },
    adds('X-Forwarded-For', 'X-Forwarded-For is the client', [], ['X-Forwarded-For: 127.0.0.1']),
    adds(
      'X-Forwarded-For',
      'X-Forwarded-For is extended',
      ['X-Forwarded-For: 10.0.0.9'],
      ['X-Forwarded-For: 10.0.0.9, 127.0.0.1'],
    ),
    adds(
      'X-Forwarded-For',
      'several X-Forwarded-For are extended in order',
      ['X-Forwarded-For: 10.0.0.8', 'X-Forwarded-For: 10.0.0.9'],
      ['X-Forwarded-For: 10.0.0.8, 10.0.0.9, 127.0.0.1'],
    ),
    adds('X-Forwarded-Proto', 'X-Forwarded-Proto is added', [], ['X-Forwarded-Proto: http']),
    adds('X-Forwarded-Proto', 'X-Forwarded-Proto is kept', ['X-Forwarded-Proto: https'], ['X-Forwarded-Proto: https']),
    adds('X-Forwarded-Host', 'X-Forwarded-Host is the Host', [], ['X-Forwarded-Host: a.example']),
    adds(
      'X-Forwarded-Host',
      'X-Forwarded-Host is kept',
      ['X-Forwarded-Host: b.example'],
      ['X-Forwarded-Host: b.example'],
    ),
    endsBack('a response field that Connection names ends at the proxy', ['Connection: X-Hop', 'X-Hop: 1'], ['X-Hop']),
    endsBack(
      'all response fields that Connection names end',
      ['Connection: x-a, X-B', 'X-A: 1', 'x-b: 2'],
      ['X-A', 'X-B'],
    ),
    {
      section: 'RFC 9110 7.6.1',
      name: 'Keep-Alive of a response ends at the proxy',
      client: [get()],
      upstream: [[ok('ok', 'Connection: keep-alive', 'Keep-Alive: timeout=7')]],
      expect: [answered({ body: 'ok' }), lacksTimeout],
    },
    endsBack(
      'Proxy-Connection of a response ends at the proxy',
      ['Proxy-Connection: close'],
      ['Proxy-Connection'],
      true,
    ),
    endsBack(
      'Proxy-Authenticate of a response ends at the proxy',
      ['Proxy-Authenticate: Basic'],
      ['Proxy-Authenticate'],
      true,
    ),
    endsBack('Upgrade of a response without a switch ends', ['Connection: Upgrade', 'Upgrade: h2c'], ['Upgrade']),
    {
      section: 'RFC 9110 7.6.1',
      name: 'a content field that Connection names wrongly does not lose the content',
      client: [post('hello', 'Connection: close, Content-Type', 'Content-Type: text/x', 'Content-Length: 5')],
      expect: [served, relayed({ body: 'hello' })],
    },
    {
      section: 'RFC 9110 7.6.1',
      name: 'a response whose Connection names Content-Length keeps its content',
      client: [get()],
      upstream: [[ok('hello', 'Connection: Content-Length')]],
      expect: [either(answered({ body: 'hello' }), answered(502))],
    },
  ],
}

function hasVia(pattern: RegExp): Case['expect'][number] {
  return ({ requests }) => {
    const [first] = requests
    const via = first?.fields.filter(([name]) => name.toLowerCase() === 'via').map(([, value]) => value)
    return pattern.test(via?.join(', ') ?? '') ? undefined : `Via: ${via?.join(', ')}`
  }
}

/** The proxy may send a Keep-Alive of its own. */
function lacksTimeout(...[{ responses }]: Parameters<Case['expect'][number]>): string | undefined {
  const isThere = responses[0]?.fields.some(
    ([name, value]) => name.toLowerCase() === 'keep-alive' && value === 'timeout=7',
  )
  return isThere ? "the upstream's Keep-Alive is relayed" : undefined
}
