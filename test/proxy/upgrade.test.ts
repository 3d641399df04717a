import { once } from 'node:events'
import { createServer } from 'node:http'
import { expect, test } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { ask, openRaw } from '../support/client.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { listening } from '../support/ports.ts'
import { startProxy } from '../support/proxy.ts'
import type { Scope } from '../support/scripted-upstream.ts'
import { withSidecar } from '../support/sidecar.ts'

async function webSocketUpstream(t: Scope) {
  const server = createServer()
  const sockets = new WebSocketServer({
    server,
    verifyClient: ({ req }, done) => done(req.url !== '/refused', 401, 'no'),
  })
  sockets.on('connection', (socket, request) => {
    socket.send(`hello ${request.url}`)
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
  })
  const port = await listening(server)
  t.onTestFinished(() => {
    for (const socket of sockets.clients) socket.terminate()
    server.close()
  })
  return { origin: `http://127.0.0.1:${port}`, sockets }
}

async function withWebSockets(t: Scope) {
  const upstream = await webSocketUpstream(t)
  const proxy = await startProxy(t, {
    clock: fakeClock(),
    upstreams: { ws: { url: upstream.origin, listen: '127.0.0.1:0', retry: { attempts: 1 } } },
  })
  return { upstream, proxy, url: proxy.own('ws').replace('http', 'ws') }
}

test('upgrade: a WebSocket carries text and binary in both directions', async (t) => {
  const { upstream, proxy, url } = await withWebSockets(t)
  const client = new WebSocket(`${url}/chat?room=1`)
  const [greeting] = await once(client, 'message')
  expect(String(greeting)).toBe('hello /chat?room=1')
  const payload = Buffer.alloc(300_000, 7)
  client.send(payload)
  const [echoed, isBinary] = await once(client, 'message')
  expect([isBinary, payload.equals(echoed)]).toEqual([true, true])
  const [atUpstream] = [...upstream.sockets.clients]
  client.close(4000, 'bye')
  const [[code]] = await Promise.all([once(client, 'close'), atUpstream && once(atUpstream, 'close')])
  expect(code).toBe(4000)
  expect(await proxy.logged(({ msg, status }) => msg === 'request' && status === 101)).toMatchObject({
    path: '/chat',
    attempts: 1,
  })
  expect(upstream.sockets.clients.size).toBe(0)
})

test('upgrade: a refusal by the upstream is relayed as it is', async (t) => {
  const { url } = await withWebSockets(t)
  const client = new WebSocket(`${url}/refused`)
  const [, response] = await once(client, 'unexpected-response')
  expect(response.statusCode).toBe(401)
  client.on('error', () => {})
  client.terminate()
})

test('upgrade: when one side of a WebSocket ends, so does the other', async (t) => {
  const { upstream, url } = await withWebSockets(t)
  const client = new WebSocket(`${url}/a`)
  await once(client, 'message')
  const [atUpstream] = [...upstream.sockets.clients]
  client.terminate()
  if (atUpstream !== undefined) await once(atUpstream, 'close')
  const second = new WebSocket(`${url}/b`)
  await once(second, 'message')
  for (const socket of upstream.sockets.clients) socket.terminate()
  const [code] = await once(second, 'close')
  expect(code).toBe(1006)
})

test('upgrade: a client that leaves before the switch ends the attempt', async (t) => {
  const { upstream, proxy, port } = await withSidecar(t, ['hang'])
  const raw = openRaw(port)
  raw.send('GET /chat HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
  await upstream.begun(1)
  raw.socket.end()
  await upstream.gone(1)
  expect(await proxy.logged(({ msg }) => msg === 'request')).toMatchObject({ status: 499, reason: 'client_gone' })
})

test('upgrade: bytes sent before the switch reach the upstream after it', async (t) => {
  const switching = Promise.withResolvers<void>()
  const server = createServer().on('upgrade', (_request, socket) => {
    void switching.promise.then(() => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n')
      socket.pipe(socket)
    })
  })
  const port = await listening(server)
  t.onTestFinished(() => void server.close())
  const proxy = await startProxy(t, {
    clock: fakeClock(),
    upstreams: { web: { url: `http://127.0.0.1:${port}`, listen: '127.0.0.1:0', upgrades: ['echo'] } },
  })
  const raw = openRaw(Number(new URL(proxy.own('web')).port))
  raw.send('GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n')
  await once(server, 'upgrade')
  raw.send('early')
  switching.resolve()
  await raw.until(/early$/)
  raw.send(' and late')
  await raw.until(/early and late$/)
  raw.socket.destroy()
})

test('upgrade: a client that resets before the switch is logged as client_gone', async (t) => {
  const { upstream, proxy, url, port } = await withSidecar(t, ['hang', {}])
  const raw = openRaw(port)
  raw.send('GET /chat HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
  await upstream.begun(1)
  raw.socket.resetAndDestroy()
  expect(await proxy.logged(({ msg }) => msg === 'request')).toMatchObject({ status: 499, reason: 'client_gone' })
  expect((await ask(url)).status).toBe(200)
})

test('upgrade: an offer of h2c is served as HTTP/1.1', async (t) => {
  const { upstream, port } = await withSidecar(t, [{ body: 'plain' }])
  const raw = openRaw(port)
  raw.send(
    'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n',
  )
  expect(await raw.until(/plain/)).toMatch(/^HTTP\/1.1 200/)
  expect(upstream.arrivals[0]?.headers.upgrade).toBeUndefined()
  raw.socket.destroy()
})

test('upgrade: an upstream that refuses the connection gives a 502', async (t) => {
  const gone = await startProxy(t, {
    clock: fakeClock(),
    upstreams: { ws: { url: 'http://127.0.0.1:9', listen: '127.0.0.1:0', retry: { attempts: 1 } } },
  })
  const client = new WebSocket(gone.own('ws').replace('http', 'ws'))
  const [, response] = await once(client, 'unexpected-response')
  expect([response.statusCode, response.headers['proxy-status']]).toEqual([502, 'breakwater; error=connection_refused'])
  client.on('error', () => {})
  client.terminate()
})
