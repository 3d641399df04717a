import { createHash, randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { ask, openRaw, problemOf } from '../support/client.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { startProxy } from '../support/proxy.ts'
import { type Scene, scriptedUpstream } from '../support/scripted-upstream.ts'
import { withSidecar } from '../support/sidecar.ts'

/** SHA-256 in hex. */
const sha = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

test('response: a transfer coding besides chunked is refused', async (t) => {
  const coded: Scene = { headers: { 'transfer-encoding': 'gzip, chunked' }, body: gzipSync('done') }
  const { url, upstream } = await withSidecar(t, [coded, { headers: { 'transfer-encoding': 'Chunked' }, body: 'done' }])
  expect(problemOf(await ask(`${url}/`))).toMatchObject({ status: 502, type: 'urn:breakwater:protocol' })
  expect((await ask(`${url}/`)).body.toString()).toBe('done')
  expect(upstream.arrivals).toHaveLength(2)
})

test('shared listener: the first path segment names the upstream and is removed', async (t) => {
  const { proxy, upstream } = await withSidecar(t, [{ body: 'ok' }])
  await ask(`${proxy.url}/web/jobs/1?x=%41&y=a+b`)
  await ask(`${proxy.url}/web`)
  await ask(`${proxy.url}/web?x=1`)
  await ask(`${proxy.url}/web//double//`)
  expect(upstream.arrivals.map(({ target }) => target)).toEqual(['/jobs/1?x=%41&y=a+b', '/', '/?x=1', '//double//'])
})

test('target: is forwarded byte for byte', async (t) => {
  const { port, upstream } = await withSidecar(t, [{}])
  const target = '/a%2Fb/%7e/;p=1/!$()?q=%zz&[]{}|^`"&r=%E9'
  const raw = openRaw(port)
  raw.send(`GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
  await raw.ended
  expect(raw.received).toMatch(/^HTTP\/1.1 200/)
  expect(upstream.arrivals[0]?.target).toBe(target)
})

test('target: an absolute form or a foreign Host does not choose the upstream', async (t) => {
  const { port, upstream } = await withSidecar(t, [{}])
  const raw = openRaw(port)
  raw.send('GET http://elsewhere.example:81/jobs?x=1 HTTP/1.1\r\nHost: other.example\r\nConnection: close\r\n\r\n')
  await raw.ended
  const [arrival] = upstream.arrivals
  expect(arrival?.target).toBe('/jobs?x=1')
  expect(arrival?.headers.host).toBe(`127.0.0.1:${upstream.port}`)
})

test.for(['/web/../admin', '/web/a/%2e%2E/%2e./%2e./x', '/web/..%2fx', '/..', '/web/%2e%2e', '/web/..#x'])(
  'target: a path that leaves its prefix by .. is refused: %s',
  async (path, t) => {
    const { proxy, upstream } = await withSidecar(t, [{}])
    const raw = openRaw(Number(new URL(proxy.url).port))
    raw.send(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
    await raw.ended
    expect(raw.received).toMatch(/^HTTP\/1.1 400 /)
    expect(upstream.arrivals).toEqual([])
  },
)

test('headers: hop-by-hop fields, and those that Connection names, are removed', async (t) => {
  const { port, upstream } = await withSidecar(t, [
    { headers: ['Connection', 'x-mine, keep-alive', 'X-Mine', '1', 'Keep-Alive', 'timeout=9', 'X-Kept', 'yes'] },
  ])
  const raw = openRaw(port)
  raw.send(
    'GET / HTTP/1.1\r\nHost: x\r\nConnection: close, X-Secret\r\nX-Secret: 1\r\nTE: trailers\r\nKeep-Alive: 5\r\nProxy-Authorization: Basic eA==\r\nProxy-Connection: x\r\nX-End: to-end\r\n\r\n',
  )
  await raw.ended
  const names = (upstream.arrivals[0]?.rawHeaders ?? []).filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase())
  for (const gone of ['x-secret', 'te', 'keep-alive', 'proxy-authorization', 'proxy-connection']) {
    expect(names).not.toContain(gone)
  }
  expect(names).toContain('x-end')
  expect(raw.received).toMatch(/\r\nX-Kept: yes\r\n/)
  expect(raw.received).not.toMatch(/x-mine|timeout=9/i)
})

test('headers: missing forwarding fields are set, existing ones are kept or extended', async (t) => {
  const { url, upstream } = await withSidecar(t, [{}])
  await ask(url)
  await ask(url, {
    headers: {
      'x-forwarded-for': '10.0.0.9',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'public.example',
      'x-request-id': 'mine',
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00',
      via: '1.0 outer',
    },
  })
  const [first, second] = upstream.arrivals
  expect(first?.headers).toMatchObject({
    'x-forwarded-for': '127.0.0.1',
    'x-forwarded-proto': 'http',
    'x-forwarded-host': new URL(url).host,
    via: '1.1 breakwater',
  })
  expect(first?.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/)
  expect(first?.headers.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/)
  expect(second?.headers).toMatchObject({
    'x-forwarded-for': '10.0.0.9, 127.0.0.1',
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'public.example',
    'x-request-id': 'mine',
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00',
    via: '1.0 outer, 1.1 breakwater',
  })
})

test("headers: a forwarding field that Connection names is replaced by the sidecar's own", async (t) => {
  const { port, upstream } = await withSidecar(t, [{}])
  const raw = openRaw(port)
  const named = ['X-Forwarded-Proto: https', 'X-Forwarded-Host: h', 'X-Request-Id: mine', 'Traceparent: mine']
  const names = named.map((field) => field.split(':')[0]).join(', ')
  raw.send(`GET / HTTP/1.1\r\nHost: x\r\nConnection: close, ${names}\r\n${named.join('\r\n')}\r\n\r\n`)
  await raw.ended
  const [arrival] = upstream.arrivals
  expect(arrival?.headers).toMatchObject({ 'x-forwarded-proto': 'http', 'x-forwarded-host': 'x' })
  expect(arrival?.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/)
  expect(arrival?.headers.traceparent).toMatch(/^00-/)
})

test('headers: repeated fields, order and bytes above 0x7F are kept in both directions', async (t) => {
  const { port, upstream } = await withSidecar(t, [
    { headers: ['Set-Cookie', 'a=1', 'X-B', '\xe9\xff', 'Set-Cookie', 'b=2', 'Content-Length', '0'] },
  ])
  const raw = openRaw(port)
  raw.send('GET / HTTP/1.1\r\nHost: x\r\nX-A: 1\r\nX-\xb5: no\r\nX-A: 2\r\n\r\n'.replace('X-\xb5: no', 'X-C: \xfc'))
  await raw.until(/\r\n\r\n/)
  const sent = upstream.arrivals[0]?.rawHeaders ?? []
  const pairs = sent.flatMap((name, i) => (i % 2 === 0 && /^X-[AC]$/.test(name) ? [`${name}=${sent[i + 1]}`] : []))
  expect(pairs).toEqual(['X-A=1', 'X-C=\xfc', 'X-A=2'])
  expect(raw.received).toMatch(/Set-Cookie: a=1\r\nX-B: \xe9\xff\r\nSet-Cookie: b=2\r\n/)
})

test('response: a head goes out before its body, with its bytes above 0x7F', async (t) => {
  let finish = () => {}
  const headFirst: Scene = (_request, response) => {
    response.writeHead(200, ['X-B', '\xe9\xff']).write(Buffer.alloc(0))
    finish = () => response.end('body')
  }
  const { port } = await withSidecar(t, [headFirst])
  const raw = openRaw(port)
  raw.send('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  expect(await raw.until(/\r\n\r\n/)).toMatch(/X-B: \xe9\xff\r\n/)
  finish()
  await raw.ended
  expect(raw.received).toMatch(/body/)
})

test('Location: an address of the upstream becomes one of the sidecar; others stay as they are', async (t) => {
  const to = (location: string): Scene => ({ status: 307, headers: { location } })
  const clock = fakeClock()
  const scenes: Scene[] = []
  const upstream = await scriptedUpstream(t, clock, scenes)
  scenes.push(to(`${upstream.origin}/jobs/`), to(`${upstream.origin}/jobs/`), to('/jobs/'), to('https://cdn.example/x'))
  const proxy = await startProxy(t, { clock, upstreams: { web: { url: upstream.origin, listen: '127.0.0.1:0' } } })
  const own = proxy.own('web')
  expect((await ask(`${own}/jobs`)).headers.location).toBe(`${own}/jobs/`)
  expect((await ask(`${proxy.url}/web/jobs`)).headers.location).toBe(`${proxy.url}/web/jobs/`)
  expect((await ask(`${proxy.url}/web/jobs`)).headers.location).toBe('/web/jobs/')
  expect((await ask(`${own}/jobs`)).headers.location).toBe('https://cdn.example/x')
})

test('base path: is put before the target and taken off Location', async (t) => {
  const clock = fakeClock()
  const scenes: Scene[] = []
  const upstream = await scriptedUpstream(t, clock, scenes)
  scenes.push({ status: 302, headers: { location: '/api/v1/next' } })
  const proxy = await startProxy(t, {
    clock,
    upstreams: { web: { url: `${upstream.origin}/api/v1/`, listen: '127.0.0.1:0' } },
  })
  const answer = await ask(`${proxy.own('web')}/jobs`)
  expect(upstream.arrivals[0]?.target).toBe('/api/v1/jobs')
  expect(answer.headers.location).toBe('/next')
})

test('body: 8 MiB arrive byte for byte in both directions', async (t) => {
  const payload = randomBytes(8 * 1024 * 1024 + 17)
  const echo: Scene = (request, response) => void request.pipe(response.writeHead(200))
  const { url } = await withSidecar(t, [echo])
  const sized = await ask(url, { method: 'POST', body: payload, headers: { 'content-length': String(payload.length) } })
  const chunked = await ask(url, { method: 'POST', body: Readable.from([payload.subarray(0, 9), payload.subarray(9)]) })
  expect(sha(sized.body)).toBe(sha(payload))
  expect(sha(chunked.body)).toBe(sha(payload))
})

test('response: a slow client slows the upstream; the body is not kept in memory', async (t) => {
  const total = 64 * 1024 * 1024
  let written = 0
  const stream: Scene = (_request, response) => {
    response.writeHead(200)
    const chunk = Buffer.alloc(256 * 1024)
    const more = () => {
      while (written < total) {
        written += chunk.length
        if (!response.write(chunk)) return void response.once('drain', more)
      }
      response.end()
    }
    more()
  }
  const { port } = await withSidecar(t, [stream])
  const raw = openRaw(port)
  raw.send('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  await raw.until(/\r\n\r\n/)
  raw.socket.pause()
  const settled = await stillness(() => written)
  expect(settled).toBeLessThan(24 * 1024 * 1024)
  raw.socket.resume()
  expect(await raw.ended).toBe('end')
  expect(written).toBe(total)
})

/** Waits until the value has not changed for 200 turns of the event loop. @returns the value. */
async function stillness(value: () => number): Promise<number> {
  let last = -1
  for (let still = 0; still < 200; still += 1) {
    await new Promise<void>((resolve) => setImmediate(resolve))
    if (value() !== last) still = 0
    last = value()
  }
  return last
}

test('response: HEAD, 204 and 304 have no body and keep their fields', async (t) => {
  const { url } = await withSidecar(t, [
    { headers: { 'content-length': '512', etag: '"a"' } },
    { status: 204, headers: { 'x-a': '1' } },
    { status: 304, headers: { etag: '"a"' } },
  ])
  const head = await ask(url, { method: 'HEAD' })
  expect([head.status, head.headers['content-length'], head.headers.etag, head.body.length]).toEqual([
    200,
    '512',
    '"a"',
    0,
  ])
  const none = await ask(url)
  expect([none.status, none.headers['x-a'], none.headers['transfer-encoding']]).toEqual([204, '1', undefined])
  const same = await ask(url)
  expect([same.status, same.headers.etag, same.body.length]).toEqual([304, '"a"', 0])
})

test('response: status and reason phrase are relayed as they are', async (t) => {
  const { url } = await withSidecar(t, [{ status: 418, statusText: 'Short And Stout' }])
  const answer = await ask(url)
  expect([answer.status, answer.statusText]).toEqual([418, 'Short And Stout'])
})

test('response: 103 and other 1xx responses are relayed before the final one', async (t) => {
  const hints: Scene = (_request, response) => {
    response.writeEarlyHints({ link: '</style.css>; rel=preload' })
    response.writeProcessing()
    response.end('done')
  }
  const { url } = await withSidecar(t, [hints])
  const answer = await ask(url)
  expect(answer.informational.map(({ status }) => status)).toEqual([103, 102])
  expect(answer.informational[0]?.headers.link).toBe('</style.css>; rel=preload')
  expect(answer.body.toString()).toBe('done')
})

test('response: trailers are relayed', async (t) => {
  const { url } = await withSidecar(t, [
    { headers: { trailer: 'x-sum' }, body: ['a', 'b'], trailers: { 'x-sum': '42' } },
  ])
  const answer = await ask(url)
  expect(answer.trailers['x-sum']).toBe('42')
  expect(answer.body.toString()).toBe('ab')
})

test('Expect: 100 Continue is sent once the upload can start', async (t) => {
  const { port, upstream } = await withSidecar(t, [{ body: 'got it' }])
  const raw = openRaw(port)
  raw.send('POST /up HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n')
  await raw.until(/^HTTP\/1.1 100 Continue\r\n\r\n/)
  raw.send('hello')
  await raw.ended
  expect(raw.received).toMatch(/HTTP\/1.1 200 OK[\s\S]*got it/)
  expect(upstream.arrivals[0]?.body.toString()).toBe('hello')
  expect(upstream.arrivals[0]?.headers.expect).toBeUndefined()
})

test('response: an answer to an unfinished upload reaches the client at once', async (t) => {
  const { port } = await withSidecar(t, [{ status: 413, body: 'too much', early: true }])
  const raw = openRaw(port)
  raw.send('POST /up HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nfirst bytes')
  expect(await raw.until(/too much/)).toMatch(/^HTTP\/1.1 413/)
  raw.socket.destroy()
})

test('HTTP/1.0: the body ends with the connection', async (t) => {
  const { port } = await withSidecar(t, [{ body: ['one', 'two'] }])
  const raw = openRaw(port)
  raw.send('GET / HTTP/1.0\r\n\r\n')
  expect(await raw.ended).toBe('end')
  expect(raw.received).toMatch(/^HTTP\/1.1 200 OK\r\n/)
  expect(raw.received).not.toMatch(/transfer-encoding/i)
  expect(raw.received).toMatch(/\r\n\r\nonetwo$/)
})

test('response: a body that breaks off ends with a reset for the client, not cleanly', async (t) => {
  const broken: Scene = (_request, response) => {
    response.writeHead(200).write('part of it', () => response.socket?.end())
  }
  const { port, url, proxy } = await withSidecar(t, [broken])
  const raw = openRaw(port)
  raw.send('GET / HTTP/1.0\r\n\r\n')
  expect(await raw.ended).toBe('reset')
  await expect(ask(url)).rejects.toThrow(/aborted|socket hang up|ECONNRESET/)
  const line = await proxy.logged(({ reason }) => reason === 'body_truncated')
  expect(line).toMatchObject({ status: 200, attempts: 1 })
})

test('pipelining: a second body that breaks off cuts the connection after the first response', async (t) => {
  const first = Promise.withResolvers<void>()
  const { port, upstream, proxy } = await withSidecar(
    t,
    [
      (_request, response) => void first.promise.then(() => response.end('whole')),
      (_request, response) => {
        response.writeHead(200, { 'content-length': '20' }).write('part of it', () => response.socket?.end())
      },
    ],
    { defaults: { retry: { attempts: 1 } } },
  )
  const raw = openRaw(port)
  raw.send('GET /1 HTTP/1.1\r\nHost: x\r\n\r\n')
  await upstream.begun(1)
  raw.send('GET /2 HTTP/1.1\r\nHost: x\r\n\r\n')
  first.resolve()
  expect(await raw.ended).toBe('reset')
  expect(raw.received).toMatch(/whole/)
  expect(await proxy.logged(({ reason }) => reason === 'body_truncated')).toMatchObject({ path: '/2' })
})

test('keep-alive: client and upstream connections are reused', async (t) => {
  const { port, upstream } = await withSidecar(t, [{ body: 'x', headers: { 'content-length': '1' } }])
  const raw = openRaw(port)
  for (let i = 1; i <= 3; i += 1) {
    raw.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    await raw.until(new RegExp(`(HTTP/1.1 200[\\s\\S]*){${i}}`))
  }
  expect(raw.received).toMatch(/Keep-Alive: timeout=65/i)
  expect(upstream.connections()).toBe(1)
})

test('shared listener: an unknown upstream is a 404, CONNECT and TRACE are 405', async (t) => {
  const { proxy, port, upstream } = await withSidecar(t, [{}])
  const unknown = await ask(`${proxy.url}/nope/x`)
  expect(unknown.status).toBe(404)
  expect(problemOf(unknown)).toMatchObject({ type: 'urn:breakwater:unknown_upstream', status: 404, attempts: 0 })
  for (const start of ['CONNECT example.com:80 HTTP/1.1', 'TRACE / HTTP/1.1']) {
    const raw = openRaw(port)
    raw.send(`${start}\r\nHost: example.com:80\r\nConnection: close\r\n\r\n`)
    await raw.ended
    expect(raw.received).toMatch(/^HTTP\/1.1 405 /)
    expect(raw.received).toMatch(/\r\nallow: GET, /i)
  }
  expect(upstream.arrivals).toEqual([])
})

test('request: a transfer coding besides chunked is refused', async (t) => {
  const { port, upstream } = await withSidecar(t, [{}])
  const raw = openRaw(port)
  raw.send('POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\nConnection: close\r\n\r\n0\r\n\r\n')
  await raw.ended
  expect(raw.received).toMatch(/^HTTP\/1.1 501 /)
  expect(upstream.arrivals).toEqual([])
})

test('request: Content-Length with Transfer-Encoding never reaches the upstream', async (t) => {
  const { port, upstream } = await withSidecar(t, [{}])
  const raw = openRaw(port)
  raw.send(
    'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n',
  )
  await raw.ended
  expect(raw.received).toMatch(/^HTTP\/1.1 400 /)
  expect(upstream.arrivals).toEqual([])
})
