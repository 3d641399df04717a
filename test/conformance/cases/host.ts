import type { Case, Group } from '../case.ts'
import { all, answered, refused, relayed } from '../checks.ts'
import { get, HOST, head } from '../text.ts'

const served = answered({ body: 'ok' })

const invalid = (value: string): Case => ({
  section: 'RFC 9112 3.2',
  name: `Host: ${JSON.stringify(value)} is refused`,
  client: [head('GET / HTTP/1.1', `Host: ${value}`)],
  expect: [refused(400)],
})

const valid = (value: string): Case => ({
  section: 'RFC 9110 7.2',
  name: `Host: ${value} is taken`,
  client: [head('GET / HTTP/1.1', `Host: ${value}`)],
  expect: [served],
})

export const host: Group = {
  topic: 'Host',
  cases: [
    { section: 'RFC 9112 3.2', name: 'no Host is refused', client: [head('GET / HTTP/1.1')], expect: [refused(400)] },
    {
      section: 'RFC 9112 3.2',
      name: 'two Host fields are refused',
      client: [head('GET / HTTP/1.1', HOST, 'Host: b.example')],
      expect: [refused(400)],
    },
    {
      section: 'RFC 9112 3.2',
      name: 'two equal Host fields are refused',
      client: [head('GET / HTTP/1.1', HOST, 'X-A: 1', HOST)],
      expect: [refused(400)],
    },
    {
      section: 'RFC 9112 3.2',
      name: 'two Host fields in an HTTP/1.0 request are refused',
      client: [head('GET / HTTP/1.0', HOST, HOST)],
      expect: [refused(400)],
    },
    ...['a b', 'a/b', 'user@a', 'a:8x', '[::1', 'a, b', 'a?b', 'a\\b', 'a:80:80', 'a%zz', 'http://a'].map(invalid),
    ...['A.EXAMPLE', 'a.example:8080', '127.0.0.1', '[::1]', '[::1]:81', 'a_b-c.example', 'a.example:'].map(valid),
    {
      section: 'RFC 9110 5.1',
      name: 'Host is known in any case',
      client: [head('GET / HTTP/1.1', 'hOsT: a.example')],
      expect: [served],
    },
    {
      section: 'RFC 9112 3.2',
      name: 'an HTTP/1.0 request needs no Host',
      client: [head('GET /x HTTP/1.0')],
      expect: [served, relayed({ target: '/x' })],
    },
    {
      section: 'RFC 9110 7.2',
      name: "the upstream's own host is what it gets",
      ours: true,
      client: [get()],
      expect: [served, (seen) => relayed({ fields: [`Host: 127.0.0.1:${seen.upstreamPort}`] })(seen)],
    },
    {
      section: 'RFC 9110 7.6.1',
      name: 'a Host that Connection names still reaches the upstream',
      client: [get('/', 'Connection: Host')],
      expect: [refusedOrServed],
    },
    {
      section: 'RFC 9112 3.2',
      name: 'a second Host with white space before it is refused',
      client: [head('GET / HTTP/1.1', HOST, ' Host: b.example')],
      expect: [refused(400, { or: all(served, relayed({})) })],
    },
    {
      section: 'RFC 9112 5.1',
      name: 'a Host with white space before its colon is refused',
      client: [head('GET / HTTP/1.1', 'Host : a.example')],
      expect: [refused(400)],
    },
  ],
}

/** Every request at the upstream has exactly one Host in any case: every case checks it. */
function refusedOrServed(...[seen]: Parameters<Case['expect'][number]>): string | undefined {
  return seen.responses[0]?.status === 400 ? undefined : served(seen)
}
