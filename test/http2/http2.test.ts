import { once } from 'node:events'
import { type IncomingMessage, type OutgoingHttpHeaders, request as requestPlain } from 'node:http'
import { constants } from 'node:http2'
import { createServer as createTcpServer } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { readFileSync } from 'node:fs'
import { json } from 'node:stream/consumers'
import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { ask, openRaw, problemOf } from '../support/client.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { listening } from '../support/ports.ts'
import { startProxy } from '../support/proxy.ts'
import { overTls, type Serve, streamOf, upstreamBy } from '../support/protocols.ts'
import { fixture } from '../support/tls-upstream.ts'

const ok: Serve = (_request, response) => void response.end('ok')

/** Keeps the responses, in the order of their requests, and answers none. */
function keeping() {
  const kept: Parameters<Serve>[1][] = []
  const serve: Serve = (request, response) => {
    request.resume()
    kept.push(response)
  }
  return { kept, serve }
}

/** A request whose client leaves when the test says so. */
function leaving(url: string) {
  const outgoing = requestPlain(url, { agent: false })
  outgoing.on('error', () => {})
  outgoing.end()
  return outgoing
}

const open = async ({ proxy }: { proxy: Awaited<ReturnType<typeof startProxy>> }) =>
  [...(await proxy.metrics())].find(([name]) => name.startsWith('breakwater_connections{'))?.[1]

test('http2: concurrent calls share one connection', async (t) => {
  const { kept, serve } = keeping()
  const fixtureOf = await overTls(t, 'HTTP/2', serve)
  const { url, upstream } = fixtureOf
  const answers = Array.from({ length: 20 }, () => ask(url))
  await upstream.begun(20)
  expect([upstream.connections(), await open(fixtureOf)]).toEqual([1, 1])
  for (const response of kept) response.end('ok')
  expect((await Promise.all(answers)).map(({ status }) => status)).toEqual(Array(20).fill(200))
  expect(new Set(upstream.versions)).toEqual(new Set(['2.0']))
})

test.for([1, 3])('http2: past %i concurrent streams another connection is opened', async (most, t) => {
  const { kept, serve } = keeping()
  const { url, upstream } = await overTls(t, 'HTTP/2', serve, {}, { maxConcurrentStreams: most })
  const answers = Array.from({ length: 7 }, () => ask(url))
  await upstream.begun(7)
  expect(upstream.connections()).toBe(Math.ceil(7 / most))
  for (const response of kept) response.end('ok')
  expect((await Promise.all(answers)).map(({ status }) => status)).toEqual(Array(7).fill(200))
  kept.length = 0
  const later = ask(url)
  await upstream.begun(8)
  kept[0]?.end()
  await later
  expect(upstream.connections()).toBe(Math.ceil(7 / most))
})

test('http2: a client that leaves resets its stream alone', async (t) => {
  const { kept, serve } = keeping()
  const { url, upstream } = await overTls(t, 'HTTP/2', serve)
  const other = ask(url)
  await upstream.begun(1)
  const left = leaving(url)
  await upstream.begun(2)
  const [, second] = kept
  if (second === undefined) throw new Error('no second request')
  const closed = once(streamOf(second), 'close')
  left.socket?.resetAndDestroy()
  await closed
  expect(streamOf(second).aborted).toBe(true)
  kept[0]?.end('ok')
  expect((await other).body.toString()).toBe('ok')
  const third = ask(url)
  await upstream.begun(3)
  kept[2]?.end()
  await third
  expect(upstream.connections()).toBe(1)
})

test.for(['GET', 'POST'])(
  'http2: a %s that a GOAWAY refuses is sent again over a new connection',
  async (method, t) => {
    const { kept, serve } = keeping()
    const { url, upstream, proxy } = await overTls(t, 'HTTP/2', serve, { retry: { attempts: 2 } })
    const first = ask(url)
    await upstream.begun(1)
    const second = ask(url, { method, ...(method === 'POST' ? { body: 'abc' } : {}) })
    await upstream.begun(2)
    upstream.sessions[0]?.goaway(constants.NGHTTP2_NO_ERROR, 1)
    await upstream.begun(3)
    expect(upstream.connections()).toBe(2)
    kept[2]?.end('second')
    expect((await second).body.toString()).toBe('second')
    kept[0]?.end('first')
    expect((await first).body.toString()).toBe('first')
    const lines = proxy.log.filter(({ msg }) => msg === 'request')
    expect(lines.map(({ attempts }) => attempts)).toEqual([1, 1])
  },
)

test('http2: after a GOAWAY the calls under way go on, and new ones take a new connection', async (t) => {
  const { kept, serve } = keeping()
  const { url, upstream } = await overTls(t, 'HTTP/2', serve)
  const first = ask(url)
  await upstream.begun(1)
  const [session] = upstream.sessions
  session?.goaway(constants.NGHTTP2_NO_ERROR, 2 ** 31 - 1)
  const probe = ask(url)
  await upstream.begun(2)
  kept[1]?.end()
  await probe
  kept[0]?.end('first')
  expect((await first).body.toString()).toBe('first')
  const next = ask(url)
  await upstream.begun(3)
  kept[2]?.end()
  await next
  expect(upstream.connections()).toBe(2)
})

test.for(['GET', 'POST'])('http2: a %s on a refused stream is sent once more', async (method, t) => {
  const serve: Serve = (_request, response, n) => {
    if (n === 1) streamOf(response).close(constants.NGHTTP2_REFUSED_STREAM)
    else response.end('ok')
  }
  const { url, upstream, proxy } = await overTls(t, 'HTTP/2', serve, { retry: { attempts: 2 } })
  const answer = await ask(url, { method, ...(method === 'POST' ? { body: 'abc' } : {}) })
  expect([answer.status, upstream.versions.length]).toEqual([200, 2])
  expect(await proxy.logged(({ msg }) => msg === 'request')).toMatchObject({ attempts: 1 })
})

test('http2: a call that is refused twice fails as if the connection had been refused', async (t) => {
  const serve: Serve = (_request, response) => streamOf(response).close(constants.NGHTTP2_REFUSED_STREAM)
  const { url, upstream } = await overTls(t, 'HTTP/2', serve)
  expect(problemOf(await ask(url))).toMatchObject({
    status: 502,
    type: 'urn:breakwater:connect_refused',
  })
  expect(upstream.versions).toHaveLength(2)
})

test('http2: a call refused while its connection drains is sent again when the others are over', async (t) => {
  const { kept, serve } = keeping()
  const { url, upstream } = await overTls(t, 'HTTP/2', serve)
  const first = ask(url)
  await upstream.begun(1)
  const second = ask(url, { method: 'POST', headers: { 'content-length': 0 } })
  await upstream.begun(2)
  upstream.sessions[0]?.goaway(constants.NGHTTP2_NO_ERROR, 2 ** 31 - 1)
  const probe = ask(url)
  await upstream.begun(3)
  const [one, two, three] = kept
  if (one === undefined || two === undefined) throw new Error('two requests expected')
  three?.end()
  await probe
  streamOf(two).close(constants.NGHTTP2_REFUSED_STREAM)
  one.end('first')
  expect((await first).body.toString()).toBe('first')
  await upstream.begun(4)
  kept[3]?.end('second')
  expect((await second).body.toString()).toBe('second')
})

test('http2: an upstream that asks for HTTP/1.1 gets it', async (t) => {
  const serve: Serve = (request, response) => {
    if (request.httpVersionMajor === 2) streamOf(response).close(constants.NGHTTP2_HTTP_1_1_REQUIRED)
    else response.end('ok')
  }
  const { url, upstream } = await overTls(t, 'HTTP/2', serve, { retry: { attempts: 2 } }, { allowHTTP1: true })
  expect((await ask(url, { method: 'POST', body: 'abc' })).status).toBe(200)
  expect((await ask(url)).status).toBe(200)
  expect(upstream.versions).toEqual(['2.0', '1.1', '1.1'])
})

test('http2: an upload that the upstream resets is upload_refused', async (t) => {
  const serve: Serve = (request, response) =>
    void request.once('data', () => streamOf(response).close(constants.NGHTTP2_CANCEL))
  const { url } = await overTls(t, 'HTTP/2', serve)
  const outgoing = requestPlain(url, { agent: false, method: 'POST' })
  outgoing.on('error', () => {})
  outgoing.write('abc')
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
  expect(await json(response)).toMatchObject({ status: 502, type: 'urn:breakwater:upload_refused' })
})

test('http2: an idle connection is closed after connections.idle', async (t) => {
  const { url, upstream, clock } = await overTls(t, 'HTTP/2', ok, { connections: { idle: '3s' } })
  await ask(url)
  await clock.advance(2_900)
  await ask(url)
  await clock.advance(200)
  await turn()
  expect(upstream.open()).toBe(1)
  await clock.advance(2_900)
  await upstream.empty()
})

test('http2: a connection that is silent past a timeout takes no further call', async (t) => {
  const { kept, serve } = keeping()
  const { url, upstream, clock } = await overTls(t, 'HTTP/2', serve, { timeout: { attempt: '5s', total: '5s' } })
  const first = ask(url)
  await upstream.begun(1)
  await clock.advance(5_000)
  expect((await first).status).toBe(504)
  const second = ask(url)
  await upstream.begun(2)
  kept[1]?.end()
  expect((await second).status).toBe(200)
  expect(upstream.connections()).toBe(2)
})

test('http2: a kept connection that closes under a GET is replaced, and that is no attempt', async (t) => {
  const drop = () => upstream.drop()
  const serve: Serve = (_request, response, n) => void (n === 2 ? drop() : response.end('ok'))
  const { url, upstream, proxy } = await overTls(t, 'HTTP/2', serve)
  await ask(url)
  expect((await ask(url)).status).toBe(200)
  expect(upstream.connections()).toBe(2)
  const [, line] = proxy.log.filter(({ msg }) => msg === 'request')
  expect(line).toMatchObject({ attempts: 1, status: 200 })
})

test.for([
  ['INTERNAL_ERROR', constants.NGHTTP2_INTERNAL_ERROR],
  ['CANCEL', constants.NGHTTP2_CANCEL],
] as const)('http2: a stream that is reset with %s has been an attempt', async ([, code], t) => {
  const serve: Serve = (_request, response, n) => void (n === 2 ? streamOf(response).close(code) : response.end('ok'))
  const { url, upstream } = await overTls(t, 'HTTP/2', serve)
  await ask(url)
  expect(problemOf(await ask(url))).toMatchObject({ type: 'urn:breakwater:reset' })
  expect((await ask(url)).status).toBe(200)
  expect([upstream.versions.length, upstream.connections()]).toEqual([3, 1])
})

test('http2: a lost connection fails all of its calls', async (t) => {
  const { serve } = keeping()
  const { url, upstream } = await overTls(t, 'HTTP/2', serve)
  const answers = ['/a', '/b', '/c'].map((path) => ask(`${url}${path}`, { method: 'POST', body: 'x' }))
  await upstream.begun(3)
  upstream.drop()
  for (const answer of await Promise.all(answers))
    expect(problemOf(answer)).toMatchObject({ type: 'urn:breakwater:reset' })
})

test('http2: a reload that turns it off retires the connection with its last call', async (t) => {
  const { kept, serve } = keeping()
  const { url, upstream, proxy, settings } = await overTls(t, 'HTTP/2', serve, {}, { allowHTTP1: true })
  const first = ask(url)
  await upstream.begun(1)
  expect((await proxy.reload({ upstreams: { web: { ...settings, http2: false } } })).status).toBe(200)
  const second = ask(url)
  await upstream.begun(2)
  for (const response of kept) response.end('ok')
  expect([(await first).status, (await second).status]).toEqual([200, 200])
  expect(upstream.versions).toEqual(['2.0', '1.1'])
})

test('http2: an upgrade goes over a connection of its own, by HTTP/1.1', async (t) => {
  const { url, upstream, proxy } = await overTls(t, 'HTTP/2', ok, {}, { allowHTTP1: true })
  await ask(url)
  const client = openRaw(Number(new URL(url).port))
  client.send('GET /chat HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n')
  await client.until(/ok/)
  expect(upstream.versions).toEqual(['2.0', '1.1'])
  expect(proxy.log.filter(({ level }) => level === 'error')).toEqual([])
})

test('http2: an upstream without it is offered it again after a minute', async (t) => {
  const before = await upstreamBy(t, 'http/1.1', ok)
  const clock = fakeClock()
  const web = {
    url: `https://127.0.0.1:${before.port}`,
    listen: '127.0.0.1:0',
    retry: { attempts: 1 },
    tls: { ca: fixture('ca.pem') },
    http2: true,
  }
  const proxy = await startProxy(t, { clock, upstreams: { web } })
  const url = proxy.own('web')
  for (let i = 0; i < 3; i += 1) expect((await ask(url)).status).toBe(200)
  expect([before.connections(), before.versions]).toEqual([1, ['1.1', '1.1', '1.1']])
  before.close()
  const after = await upstreamBy(t, 'h2', ok, { port: before.port, allowHTTP1: true })
  expect((await ask(url)).status).toBe(200)
  await clock.advance(60_000)
  expect((await ask(url)).status).toBe(200)
  expect(after.versions).toEqual(['1.1', '2.0'])
  after.close()
  const last = await upstreamBy(t, 'http/1.1', ok, { port: before.port })
  expect((await ask(url)).status).toBe(200)
  expect(last.versions).toEqual(['1.1'])
})

test('http2: calls that wait for a connect get its fault', async (t) => {
  const server = createTcpServer((socket) => socket.destroy())
  const port = await listening(server)
  t.onTestFinished(() => void server.close())
  const web = { url: `https://127.0.0.1:${port}`, listen: '127.0.0.1:0', retry: { attempts: 1 }, http2: true }
  const proxy = await startProxy(t, { clock: fakeClock(), upstreams: { web } })
  const answers = await Promise.all([ask(proxy.own('web')), ask(proxy.own('web'))])
  for (const answer of answers) expect(problemOf(answer)).toMatchObject({ type: 'urn:breakwater:tls_protocol' })
})

test('http2: a certificate of an unknown CA is refused', async (t) => {
  const { url } = await overTls(t, 'HTTP/2', ok, { tls: {} })
  expect(problemOf(await ask(url))).toMatchObject({ type: 'urn:breakwater:tls_certificate' })
})

test.for([
  ['nothing', '', 'connect_timeout'],
  ['no HTTP/2', 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n', 'tls_protocol'],
])('http2: after ALPN the upstream says %s', async ([, text, fault], t) => {
  const certificate = { key: readFileSync(fixture('server.key')), cert: readFileSync(fixture('server.pem')) }
  const arrived = Promise.withResolvers<void>()
  const server = createTlsServer({ ...certificate, ALPNProtocols: ['h2'] }, (socket) => {
    socket.on('error', () => {})
    if (text !== '') socket.write(text as string)
    socket.once('data', () => arrived.resolve())
    t.onTestFinished(() => void socket.destroy())
  })
  const port = await listening(server)
  t.onTestFinished(() => void server.close())
  const web = {
    url: `https://127.0.0.1:${port}`,
    listen: '127.0.0.1:0',
    retry: { attempts: 1 },
    tls: { ca: fixture('ca.pem') },
    timeout: { connect: '4s' },
    http2: true,
  }
  const clock = fakeClock()
  const proxy = await startProxy(t, { clock, upstreams: { web } })
  const answer = ask(proxy.own('web'))
  await arrived.promise
  if (text === '') await clock.advance(4_000)
  expect(problemOf(await answer)).toMatchObject({ type: `urn:breakwater:${fault}` })
})

test('http2: a slow client holds back its own response alone', async (t) => {
  const MANY = 40 * 1024 * 1024
  let sent = 0
  const serve: Serve = (request, response) => {
    if (request.url !== '/large') return void response.end('ok')
    const chunk = Buffer.alloc(256 * 1024)
    const write = () => {
      while (sent < MANY) {
        sent += chunk.length
        if (!response.write(chunk)) return void response.once('drain', write)
      }
      response.end()
    }
    write()
  }
  const { url } = await overTls(t, 'HTTP/2', serve)
  const outgoing = requestPlain(`${url}/large`, { agent: false })
  outgoing.end()
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
  for (let i = 0; i < 50; i += 1) expect((await ask(`${url}/small`)).body.toString()).toBe('ok')
  expect(sent).toBeLessThan(MANY / 2)
  let received = 0
  for await (const chunk of response) received += (chunk as Buffer).length
  expect(received).toBe(MANY)
})

test('http2: no field of the connection goes to the upstream', async (t) => {
  const fields: OutgoingHttpHeaders[] = []
  const serve: Serve = (request, response) => {
    fields.push(request.headers)
    response.end()
  }
  const { url } = await overTls(t, 'HTTP/2', serve, { forwarded: false })
  const headers = {
    connection: 'keep-alive, x-hop',
    'keep-alive': 'timeout=5',
    'x-hop': '1',
    te: 'trailers',
    expect: '100-continue',
  }
  await ask(url, { method: 'POST', headers, body: 'abc' })
  const names = Object.keys(fields[0] ?? {})
  for (const name of ['connection', 'keep-alive', 'transfer-encoding', 'x-hop', 'host', 'expect'])
    expect(names).not.toContain(name)
})

/** The same numbers in each run: xorshift32. */
function dice(seed: number) {
  let state = seed
  return (sides: number) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % sides
  }
}

test.for([1, 2, 3])('http2: every call ends, whatever the upstream does (%i)', async (seed, t) => {
  const roll = dice(seed * 2_654_435_761)
  const serve: Serve = (request, response) => {
    request.resume()
    const stream = streamOf(response)
    const { session } = stream
    switch (roll(12)) {
      case 0:
        return stream.close(constants.NGHTTP2_REFUSED_STREAM)
      case 1:
        return stream.close(constants.NGHTTP2_INTERNAL_ERROR)
      case 2:
        return session?.goaway(constants.NGHTTP2_NO_ERROR, Math.max(0, (stream.id ?? 0) - 2 * roll(4)))
      case 3:
        return session?.goaway(constants.NGHTTP2_NO_ERROR, 2 ** 31 - 1)
      case 4:
        return session?.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM, stream.id ?? 0)
      case 5:
        return roll(3) === 0 ? upstream.drop() : void response.end('ok')
      case 6:
        response.write('part')
        return stream.close(constants.NGHTTP2_CANCEL)
      case 7:
        return session?.close()
      case 8:
        return session?.destroy()
      default:
        return void response.end('ok')
    }
  }
  const { url, upstream, clock, proxy } = await overTls(t, 'HTTP/2', serve, {
    breaker: { consecutiveFailures: 100_000, failureRate: false },
    timeout: { attempt: '5s', total: '5s' },
    connections: { max: 8 },
  })
  const CALLS = 300
  let ended = 0
  const outcomes = Promise.all(
    Array.from({ length: CALLS }, async (_, i) => {
      await (i % 3 === 0 ? ask(url, { method: 'POST', body: 'abc' }) : ask(url)).catch(() => undefined)
      ended += 1
    }),
  )
  for (let i = 0; ended < CALLS && i < 20_000; i += 1) {
    await turn()
    if (i % 50 === 0) await clock.advance(500)
  }
  expect(ended).toBe(CALLS)
  await outcomes
  expect(proxy.log.filter(({ level }) => level === 'error')).toEqual([])
  await clock.advance(60_000)
  await turn()
  expect(await open({ proxy })).toBe(0)
})

test('http2: a response with more fields than Node takes is a fault of its call alone', async (t) => {
  const many = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`x-${i}`, '1']))
  const serve: Serve = (request, response) => {
    response.writeHead(200, request.url === '/many' ? many : {})
    response.end('ok')
  }
  const { url, upstream } = await overTls(t, 'HTTP/2', serve)
  expect((await ask(url)).status).toBe(200)
  expect(problemOf(await ask(`${url}/many`))).toMatchObject({ type: 'urn:breakwater:reset' })
  expect((await ask(url)).status).toBe(200)
  expect(upstream.connections()).toBe(1)
})
