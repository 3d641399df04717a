import type { Case, Group } from '../case.ts'
import { answered, atMost, closed, either, refused, relayed, strictly } from '../checks.ts'
import { get, HOST, head, post } from '../text.ts'

const served = answered({ body: 'ok' })

/** A target that reaches the upstream byte for byte: RFC 9110 7.7 forbids to change path and query. */
const kept = (what: string, target: string, ours?: true): Case => ({
  section: 'RFC 9110 7.7',
  name: `${what} in a target is kept`,
  ...(ours && { ours }),
  client: [get(target)],
  expect: [served, relayed({ target })],
})

const refusedTarget = (name: string, target: string, ours?: true): Case => ({
  section: 'RFC 9112 3.2',
  name,
  ...(ours && { ours }),
  client: [get(target)],
  expect: [refused(400, { mayGoOn: true })],
})

const method = (name: string, ours?: true): Case => ({
  section: 'RFC 9110 9.1',
  name: `the method ${name} is relayed as it is`,
  ...(ours && { ours }),
  client: [head(`${name} /m HTTP/1.1`, HOST, 'Content-Length: 0')],
  expect: [answered(200), relayed({ method: name, target: '/m' })],
})

const withBody = (name: string): Case => ({
  section: 'RFC 9110 9.3',
  name: `${name} with content is relayed`,
  client: [`${head(`${name} /m HTTP/1.1`, HOST, 'Content-Length: 5')}hello`],
  expect: [served, relayed({ method: name, body: 'hello' })],
})

/** A target in absolute form, and what of it goes to the upstream. Peers may pass the absolute form on. */
const absolute = (name: string, url: string, target: string): Case => ({
  section: 'RFC 9112 3.2.2',
  name,
  client: [head(`GET ${url} HTTP/1.1`, `Host: ${/^http:\/\/([^/?]+)/i.exec(url)?.[1]}`)],
  expect: [served, relayed({ target: [target, url] }), strictly(relayed({ target }))],
})

export const target: Group = {
  topic: 'Request line, targets and methods',
  cases: [
    kept('an encoded slash', '/a%2Fb'),
    kept('the case of percent-encoding', '/a%2fb%7E%7e'),
    kept('an encoded unreserved character', '/%61'),
    kept('a double slash', '//a//b//'),
    kept('a dot segment that stays within the root', '/a/../b/./c'),
    kept('an empty query', '/a?'),
    kept('a query with question marks and slashes', '/a?b?c/d=//e&&=;'),
    kept('a parameter', "/a;v=1.1,x/b!$&'()*+:@=-._~"),
    kept('an invalid escape', '/a%zz%', true),
    kept('a character that a URL must encode', '/a[]{}|^`"<>\\', true),
    {
      section: 'RFC 3986 2.1',
      name: 'raw UTF-8 in a target goes on percent-encoded',
      ours: true,
      client: [get('/caf\xc3\xa9?q=\xff')],
      expect: [served, relayed({ target: '/caf%C3%A9?q=%FF' })],
    },
    {
      section: 'RFC 9112 3',
      name: 'a request line of 8,000 bytes is read',
      client: [get(`/${'a'.repeat(7_980)}`)],
      expect: [served, relayed({ target: `/${'a'.repeat(7_980)}` })],
    },
    absolute('the absolute form is taken, and the origin form goes on', 'http://b.example/jobs?x=1', '/jobs?x=1'),
    absolute('the absolute form with a port is taken', 'http://b.example:81/jobs', '/jobs'),
    absolute('the absolute form with a scheme in capitals is taken', 'HTTP://b.example/jobs', '/jobs'),
    absolute('the absolute form with an IPv6 address is taken', 'http://[::1]:81/jobs', '/jobs'),
    absolute('the absolute form without a path means /', 'http://b.example', '/'),
    absolute('the absolute form with a query alone means /?', 'http://b.example?x=1', '/?x=1'),
    {
      section: 'RFC 9112 3.2.2',
      name: 'a Host that differs from the absolute form is ignored',
      ours: true,
      client: [get('http://b.example/jobs')],
      expect: [served, relayed({ target: '/jobs' })],
    },
    {
      section: 'RFC 9112 3.2.2',
      name: 'the authority of the absolute form is what X-Forwarded-Host says',
      ours: true,
      client: [get('http://b.example:81/')],
      expect: [served, relayed({ fields: ['X-Forwarded-Host: b.example:81'] })],
    },
    {
      section: 'RFC 9112 3.2',
      name: 'the absolute form without Host is refused',
      client: [head('GET http://b.example/ HTTP/1.1')],
      expect: [refused(400)],
    },
    refusedTarget('the authority form is refused but for CONNECT', 'b.example:80'),
    refusedTarget('the asterisk form is refused but for OPTIONS', '*'),
    refusedTarget('a relative path is refused', 'jobs'),
    refusedTarget('a space within a target is refused', '/a b'),
    refusedTarget('a target with a fragment is refused', '/a#b', true),
    refusedTarget('a path that climbs above the root is refused', '/a/../../b', true),
    refusedTarget('a path that climbs above the root percent-encoded is refused', '/%2e%2E/b', true),
    {
      section: 'RFC 9112 3',
      name: 'a request line without a target is refused',
      client: [`GET HTTP/1.1\r\n${HOST}\r\n\r\n`],
      expect: [refused(400)],
    },
    {
      section: 'RFC 9112 3',
      name: 'a request line without a method is refused',
      client: [`/ HTTP/1.1\r\n${HOST}\r\n\r\n`],
      expect: [refused(400)],
    },
    {
      section: 'RFC 9112 3.1',
      name: 'a method that is no token is refused',
      client: [`GE(T / HTTP/1.1\r\n${HOST}\r\n\r\n`],
      expect: [refused(400)],
    },
    ...['PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'SEARCH'].map((name) => method(name)),
    ...['QUERY', 'BREW', 'get', "a!#$%&'*+-.^_`|~9"].map((name) => method(name, true)),
    {
      section: 'RFC 9110 9.3.2',
      name: 'HEAD is relayed as HEAD',
      client: [head('HEAD /m HTTP/1.1', HOST)],
      upstream: [[head('HTTP/1.1 200 OK', 'Content-Length: 7')]],
      expect: [answered({ fields: ['Content-Length: 7'], body: '' }), relayed({ method: 'HEAD', target: '/m' })],
    },
    ...['GET', 'DELETE', 'OPTIONS', 'PATCH'].map(withBody),
    {
      section: 'RFC 9110 9.3.7',
      name: 'OPTIONS * reaches the upstream',
      ours: true,
      client: [head('OPTIONS * HTTP/1.1', HOST)],
      expect: [served, relayed({ method: 'OPTIONS', target: '*' })],
    },
    {
      section: 'RFC 9112 3.2.4',
      name: 'OPTIONS of an absolute form without path and query reaches the upstream as *',
      ours: true,
      client: [head('OPTIONS http://b.example:81 HTTP/1.1', 'Host: b.example:81')],
      expect: [served, relayed({ method: 'OPTIONS', target: '*' })],
    },
    refusedTarget('an absolute form without an authority is refused', 'http:///m', true),
    {
      section: 'RFC 9110 7.6.2',
      name: 'OPTIONS with Max-Forwards: 0 is answered and goes no further',
      client: [head('OPTIONS /m HTTP/1.1', HOST, 'Max-Forwards: 0')],
      expect: [atMost(0), either(answered(200), either(answered(204), either(answered(405), answered(501))))],
    },
    {
      section: 'RFC 9110 7.6.2',
      name: 'Max-Forwards of OPTIONS goes on less one',
      client: [head('OPTIONS /m HTTP/1.1', HOST, 'Max-Forwards: 7')],
      expect: [served, relayed({ fields: ['Max-Forwards: 6'] })],
    },
    {
      section: 'RFC 9110 9.3.6',
      name: 'CONNECT is answered with 405',
      ours: true,
      client: [head('CONNECT b.example:80 HTTP/1.1', 'Host: b.example:80')],
      expect: [answered(405), atMost(0)],
    },
    {
      section: 'RFC 9110 9.3.8',
      name: 'TRACE is answered with 405',
      ours: true,
      client: [head('TRACE / HTTP/1.1', HOST, 'Authorization: secret')],
      expect: [answered(405), atMost(0)],
    },
    {
      section: 'RFC 9110 9.3.6',
      name: 'bytes behind a refused CONNECT are no request',
      ours: true,
      client: [`${head('CONNECT b.example:80 HTTP/1.1', 'Host: b.example:80')}${get('/tunnelled')}`],
      expect: [answered(405), closed, atMost(0)],
    },
    {
      section: 'RFC 9110 8.6',
      name: 'a POST without framing has no content',
      client: [post('')],
      expect: [served, relayed({ body: '' }), strictly(relayed({ fields: ['Content-Length: 0'] }))],
    },
  ],
}
