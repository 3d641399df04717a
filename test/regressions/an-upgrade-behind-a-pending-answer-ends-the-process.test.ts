import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { expect, test } from 'vitest'
import { ask, openRaw } from '../support/client.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { listening } from '../support/ports.ts'
import { startProxy } from '../support/proxy.ts'
import type { Scope } from '../support/scripted-upstream.ts'

const WEBSOCKET = 'GET /chat HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'

/** An upstream whose `/slow` the test answers, and which echoes what it receives after an upgrade. */
async function withTunnels(t: Scope) {
  const slow: ServerResponse[] = []
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    if (request.url !== '/slow') return void request.resume().on('end', () => response.end('quick'))
    slow.push(response)
    server.emit('slow')
  })
  const tunnels: Duplex[] = []
  server.on('upgrade', (_request, socket) => {
    tunnels.push(socket)
    socket.on('error', () => socket.destroy())
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: WebSocket\r\n\r\n')
    socket.pipe(socket)
  })
  const port = await listening(server)
  t.onTestFinished(() => {
    server.close()
    server.closeAllConnections()
    for (const tunnel of tunnels) tunnel.destroy()
  })
  const clock = fakeClock()
  const proxy = await startProxy(t, {
    clock,
    upstreams: { web: { url: `http://127.0.0.1:${port}`, listen: '127.0.0.1:0', retry: { attempts: 1 } } },
  })
  const raw = openRaw(Number(new URL(proxy.own('web')).port))
  return { proxy, clock, slow, server, tunnels, raw }
}

test('pipelining: an upgrade waits for the end of the answer before it', async (t) => {
  const { proxy, slow, server, tunnels, raw } = await withTunnels(t)
  raw.send('GET /slow HTTP/1.1\r\nHost: x\r\n\r\n')
  await once(server, 'slow')
  raw.send(`${WEBSOCKET}early`)
  expect((await ask(`${proxy.own('web')}/other`)).status).toBe(200)
  expect([tunnels.length, raw.received]).toEqual([0, ''])
  slow[0]?.end('at last')
  const seen = await raw.until(/early$/)
  expect(seen).toMatch(/^HTTP\/1\.1 200 OK[\s\S]*at last(?:\r\n0\r\n\r\n)?HTTP\/1\.1 101 [\s\S]*early$/)
  raw.send(' and late')
  await raw.until(/early and late$/)
  raw.socket.destroy()
  const lines = () => proxy.log.filter(({ msg }) => msg === 'request').map(({ path, status }) => [path, status])
  await proxy.logged(({ msg, status }) => msg === 'request' && status === 101)
  expect(lines()).toEqual([
    ['/other', 200],
    ['/slow', 200],
    ['/chat', 101],
  ])
})

test('pipelining: CONNECT is refused once the POST before it is answered', async (t) => {
  const { slow, server, raw } = await withTunnels(t)
  raw.send('POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody')
  await once(server, 'slow')
  raw.send('CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n')
  slow[0]?.end('done')
  expect(await raw.until(/HTTP\/1\.1 405/)).toMatch(/^HTTP\/1\.1 200 OK[\s\S]*done[\s\S]*HTTP\/1\.1 405/)
  expect(await raw.ended).toBe('end')
})

test.for(['destroy', 'resetAndDestroy'] as const)(
  'pipelining: a client that leaves by %s while its upgrade waits ends the request before it, and the upgrade never begins',
  async (leave, t) => {
    const { proxy, slow, server, raw } = await withTunnels(t)
    raw.send('GET /slow HTTP/1.1\r\nHost: x\r\n\r\n')
    await once(server, 'slow')
    raw.send(WEBSOCKET)
    await ask(`${proxy.own('web')}/other`)
    raw.socket[leave]()
    const response = slow[0]
    if (response !== undefined) await once(response, 'close')
    expect(await proxy.logged((line) => line.msg === 'request' && line.path === '/slow')).toMatchObject({
      status: 499,
      reason: 'client_gone',
    })
    // A request begins only when the one before it is answered: of the upgrade nothing was done.
    expect(proxy.log.filter(({ path }) => path === '/chat')).toEqual([])
  },
)

test('pipelining: a slow client gets a large answer whole, although an upgrade waits behind it', async (t) => {
  const { proxy, slow, server, raw } = await withTunnels(t)
  raw.socket.pause()
  raw.send('GET /slow HTTP/1.1\r\nHost: x\r\n\r\n')
  await once(server, 'slow')
  raw.send(WEBSOCKET)
  await ask(`${proxy.own('web')}/other`)
  const body = 'x'.repeat(8 * 1024 * 1024)
  slow[0]?.writeHead(200, { 'content-length': body.length })
  slow[0]?.end(body)
  await ask(`${proxy.own('web')}/other`)
  raw.socket.resume()
  const seen = await raw.until(/HTTP\/1\.1 101/)
  expect(seen.indexOf('HTTP/1.1 101') - seen.indexOf('xxx')).toBe(body.length)
  raw.socket.destroy()
})
