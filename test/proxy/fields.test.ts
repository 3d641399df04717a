import { expect, test } from 'vitest'
import { ask, openRaw, problemOf } from '../support/client.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { startProxy } from '../support/proxy.ts'
import { type Scene, scriptedUpstream } from '../support/scripted-upstream.ts'
import { withSidecar } from '../support/sidecar.ts'
import { fixture, tlsUpstream } from '../support/tls-upstream.ts'

const OWN = {
  'x-forwarded-for': '10.0.0.9',
  'x-forwarded-proto': 'https',
  'x-forwarded-host': 'public.example',
  via: '1.0 outer',
}

test("forwarded and via: false leaves the client's own fields as they came", async (t) => {
  const { url, upstream } = await withSidecar(t, [{}], { web: { forwarded: false, via: false } })
  await ask(url)
  await ask(url, { headers: OWN })
  const [bare, own] = upstream.arrivals
  for (const name of Object.keys(OWN)) expect(bare?.headers).not.toHaveProperty(name)
  expect(own?.headers).toMatchObject(OWN)
})

test('forwarded: a route overrides its upstream', async (t) => {
  const routes = [{ match: 'GET /bare', forwarded: false, via: false }]
  const { url, upstream } = await withSidecar(t, [{}], { web: { routes } })
  await ask(`${url}/bare`)
  await ask(`${url}/other`)
  expect(upstream.arrivals.map(({ headers }) => headers.via)).toEqual([undefined, '1.1 breakwater'])
  expect(upstream.arrivals.map(({ headers }) => headers['x-forwarded-for'])).toEqual([undefined, '127.0.0.1'])
})

test('forwarded: an IPv4 client of an IPv6 listener is written as IPv4', async (t) => {
  const clock = fakeClock()
  const upstream = await scriptedUpstream(t, clock, [{}])
  const proxy = await startProxy(t, { clock, upstreams: { web: { url: upstream.origin, listen: '[::]:0' } } })
  await ask(`http://127.0.0.1:${proxy.app.addresses().upstreams.get('web')?.port}/`)
  expect(upstream.arrivals[0]?.headers['x-forwarded-for']).toBe('127.0.0.1')
})

test('forwarded and via: true adds the fields for an https upstream, too', async (t) => {
  const echo = await tlsUpstream(t, ({ headers }, response) => response.end(JSON.stringify(headers)))
  const web = { url: `https://127.0.0.1:${echo.port}`, listen: '127.0.0.1:0', tls: { ca: fixture('ca.pem') } }
  const proxy = await startProxy(t, { clock: fakeClock(), upstreams: { web: { ...web, forwarded: true, via: true } } })
  const answer = await ask(proxy.own('web'))
  expect(JSON.parse(answer.body.toString())).toMatchObject({ 'x-forwarded-proto': 'http', via: '1.1 breakwater' })
  expect(answer.headers.via).toBe('1.1 breakwater')
})

test('via: false adds none to interim responses either', async (t) => {
  const hints: Scene = (_request, response) => {
    response.writeEarlyHints({ link: '</a.css>; rel=preload' })
    response.end()
  }
  const { url } = await withSidecar(t, [hints], { web: { via: false } })
  const [hint] = (await ask(url)).informational
  expect([hint?.status, hint?.headers.via, hint?.headers.link]).toEqual([103, undefined, '</a.css>; rel=preload'])
})

test('host: a name replaces the Host of all requests', async (t) => {
  const { url, upstream } = await withSidecar(t, [{}], { web: { host: 'api.example.com:8443' } })
  await ask(url)
  await ask(url, { headers: { host: 'other.example' } })
  expect(upstream.arrivals.map(({ headers }) => headers.host)).toEqual(['api.example.com:8443', 'api.example.com:8443'])
})

test("host: preserve sends the client's Host, or the upstream's own where there is none", async (t) => {
  const { port, upstream } = await withSidecar(t, [{}], { web: { host: 'preserve' } })
  for (const head of [
    'GET / HTTP/1.1\r\nHost: a.example:81\r\nConnection: close',
    'GET http://b.example/ HTTP/1.1\r\nHost: c.example\r\nConnection: close',
    'GET / HTTP/1.0',
  ]) {
    const raw = openRaw(port)
    raw.send(`${head}\r\n\r\n`)
    await raw.ended
  }
  const hosts = upstream.arrivals.map(({ headers }) => headers.host)
  expect(hosts).toEqual(['a.example:81', 'b.example', `127.0.0.1:${upstream.port}`])
  expect(upstream.arrivals[0]?.rawHeaders.filter((name) => name.toLowerCase() === 'host')).toHaveLength(1)
})

test('host: preserve refuses a Host that is none', async (t) => {
  const { url, upstream } = await withSidecar(t, [{}], { web: { host: 'preserve' } })
  expect(problemOf(await ask(url, { headers: { host: 'a b' } }))).toMatchObject({ type: 'urn:breakwater:bad_request' })
  expect(upstream.arrivals).toEqual([])
})

test("host: preserve leaves the server name of TLS and the connection to the upstream's own name", async (t) => {
  const echo = await tlsUpstream(t, ({ headers }, response) => response.end(headers.host))
  const web = { url: `https://127.0.0.1:${echo.port}`, listen: '127.0.0.1:0', host: 'preserve' }
  const proxy = await startProxy(t, {
    clock: fakeClock(),
    upstreams: { web: { ...web, tls: { ca: fixture('ca.pem') } } },
  })
  const hosts = ['a.example', 'b.example', 'a.example']
  for (const host of hosts) expect((await ask(proxy.own('web'), { headers: { host } })).body.toString()).toBe(host)
  expect(echo.names).toEqual([false])
})

test('headers: remove and set change requests, whatever the client sends', async (t) => {
  const request = { set: { 'X-Api-Key': 'k', 'x-request-id': 'fixed' }, remove: ['Cookie', 'traceparent'] }
  const { port, upstream } = await withSidecar(t, [{}], { web: { headers: { request } } })
  const raw = openRaw(port)
  raw.send(
    'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nx-api-key: mine\r\nX-API-KEY: yours\r\ncookie: a=1\r\nX-Kept: 1\r\n\r\n',
  )
  await raw.ended
  const sent = upstream.arrivals[0]
  const keys = sent?.rawHeaders.flatMap((name, i) => (/^x-api-key$/i.test(name) ? [name, sent.rawHeaders[i + 1]] : []))
  expect(keys).toEqual(['X-Api-Key', 'k'])
  expect(sent?.headers).toMatchObject({ 'x-kept': '1', 'x-request-id': 'fixed' })
  expect(sent?.headers).not.toHaveProperty('cookie')
  expect(sent?.headers).not.toHaveProperty('traceparent')
})

test("headers: remove and set change responses, but not the sidecar's own answers", async (t) => {
  const response = { set: { 'Cache-Control': 'no-store' }, remove: ['Server', 'link'] }
  const scene: Scene = (_request, answer) => {
    answer.writeEarlyHints({ link: '</a.css>; rel=preload', 'x-hint': '1' })
    answer.writeHead(200, { server: 'secret/1.2', 'cache-control': 'public', 'x-kept': '1' }).end()
  }
  const { url } = await withSidecar(t, [scene, 'reset'], { web: { headers: { response }, retry: { attempts: 1 } } })
  const answer = await ask(url)
  expect(answer.headers).toMatchObject({ 'cache-control': 'no-store', 'x-kept': '1' })
  expect(answer.headers).not.toHaveProperty('server')
  const hint = answer.informational[0]?.headers
  expect([hint?.['x-hint'], hint?.link, hint?.['cache-control']]).toEqual(['1', undefined, undefined])
  expect((await ask(url)).headers).not.toHaveProperty('cache-control')
})

test('headers: each attempt has the fields of set', async (t) => {
  const { clock, url, upstream } = await withSidecar(t, [{ status: 503 }, { body: 'ok' }], {
    web: { headers: { request: { set: { 'x-api-key': 'k' } } }, retry: { backoff: { initial: '1s', jitter: 0 } } },
  })
  const answer = ask(url)
  await clock.elapse(1_000)
  expect((await answer).status).toBe(200)
  expect(upstream.arrivals.map(({ headers }) => headers['x-api-key'])).toEqual(['k', 'k'])
})

test('headers: values are shown nowhere', async (t) => {
  const set = { authorization: 'Bearer hunter2', 'x-plain': 'hunter2' }
  const headers = { request: { set }, response: { set } }
  const routes = [{ match: 'GET /r', headers: { request: { set: { cookie: 'hunter2' } } } }]
  const { proxy, url } = await withSidecar(t, ['reset'], { web: { headers, routes, retry: { attempts: 1 } } })
  const failed = await ask(`${url}/r`)
  const pages = [
    '/v1/config',
    '/v1/explain?path=/r&upstream=web',
    '/v1/upstreams',
    '/v1/overview',
    '/metrics',
    '/health',
  ]
  const shown = await Promise.all(pages.map(async (page) => (await ask(`${proxy.controlUrl}${page}`)).body.toString()))
  const broken = { url: 'http://x', headers: { request: { set: { ...set, Host: 'hunter2' } } } }
  const refused = await proxy.reload({ upstreams: { web: broken } })
  expect(refused.status).toBe(422)
  const all = [failed.body, ...shown, refused.body, JSON.stringify(proxy.log)].join('\n')
  expect(all).toMatch(/authorization/)
  expect(all).not.toMatch(/hunter2/)
})

test('reload: new fields hold for the next request', async (t) => {
  const { proxy, url, upstream } = await withSidecar(t, [{}])
  await ask(url)
  const web = { url: upstream.origin, listen: '127.0.0.1:0', host: 'a.example', via: false }
  await proxy.reload({ upstreams: { web: { ...web, headers: { request: { set: { 'x-a': 'b' } } } } } })
  await ask(proxy.own('web'))
  const [before, after] = upstream.arrivals
  expect([before?.headers['x-a'], before?.headers.via]).toEqual([undefined, '1.1 breakwater'])
  expect(after?.headers).toMatchObject({ 'x-a': 'b', host: 'a.example' })
  expect(after?.headers).not.toHaveProperty('via')
})
