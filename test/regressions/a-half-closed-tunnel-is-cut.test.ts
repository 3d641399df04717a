import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { Socket } from 'node:net'
import { expect, test } from 'vitest'
import { openRaw } from '../support/client.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { listening } from '../support/ports.ts'
import { startProxy } from '../support/proxy.ts'
import type { Scope } from '../support/scripted-upstream.ts'

/** Opens a tunnel. The test itself is the upstream, through `socket`. */
async function tunnelled(t: Scope, settings: object = {}) {
  const server = createServer()
  const port = await listening(server)
  t.onTestFinished(() => void server.close())
  const clock = fakeClock()
  const proxy = await startProxy(t, {
    clock,
    upstreams: { web: { url: `http://127.0.0.1:${port}`, listen: '127.0.0.1:0', ...settings } },
  })
  const raw = openRaw(Number(new URL(proxy.own('web')).port))
  raw.socket.allowHalfOpen = true
  raw.send('GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
  const [, socket] = (await once(server, 'upgrade')) as [unknown, Socket]
  t.onTestFinished(() => {
    socket.destroy()
    raw.socket.destroy()
  })
  socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: WebSocket\r\n\r\n')
  expect(await raw.until(/\r\n\r\n$/)).toMatch(/\r\nupgrade: websocket\r\n/i)
  return { clock, proxy, raw, socket }
}

/** Reads until the client ends its direction. Iterating over the socket would destroy the socket at that moment. */
async function heardBy(socket: Socket): Promise<string> {
  let heard = ''
  socket.on('data', (chunk) => {
    heard += String(chunk)
  })
  await once(socket, 'end')
  return heard
}

test('tunnel: a client that ends its direction still gets all that the upstream sends', async (t) => {
  const { proxy, raw, socket } = await tunnelled(t)
  raw.send('question')
  raw.socket.end()
  expect(await heardBy(socket)).toBe('question')
  const answer = 'answer'.repeat(100_000)
  socket.end(answer)
  expect(await raw.ended).toBe('end')
  expect(raw.received.endsWith(answer)).toBe(true)
  expect(await proxy.logged(({ msg }) => msg === 'request')).toMatchObject({ status: 101 })
})

test('tunnel: an upstream that ends its direction still gets all that the client sends', async (t) => {
  const { raw, socket } = await tunnelled(t)
  socket.end('bye')
  await raw.until(/bye$/)
  await raw.ended
  const words = 'words'.repeat(100_000)
  raw.socket.end(words)
  expect(await heardBy(socket)).toBe(words)
})

test('tunnel: ends timeout.tunnel after its last byte', async (t) => {
  const { clock, proxy, raw, socket } = await tunnelled(t, { timeout: { tunnel: '10m' } })
  await clock.advance(599_000)
  raw.send('still here')
  await once(socket, 'data')
  await clock.advance(599_999)
  expect(socket.destroyed).toBe(false)
  await clock.advance(1)
  await raw.ended
  const line = await proxy.logged(({ msg }) => msg === 'request')
  expect(line).toMatchObject({ status: 101, limit: 'timeout.tunnel: 10m', bytes_in: 'still here'.length, bytes_out: 0 })
  expect(line).not.toHaveProperty('reason')
})

test('tunnel: a drain leaves both directions open until the shutdown is over', async (t) => {
  const { clock, proxy, raw, socket } = await tunnelled(t)
  const drained = proxy.app.drain()
  await clock.elapse(1_000)
  socket.write('news')
  await raw.until(/news$/)
  const heard = once(socket, 'data')
  raw.send('answer')
  expect(String(await heard)).toBe('answer')
  socket.end()
  expect(await raw.ended).toBe('end')
  raw.socket.end()
  await drained
  const line = await proxy.logged(({ msg }) => msg === 'request')
  expect(line).toMatchObject({ status: 101, bytes_in: 'answer'.length, bytes_out: 'news'.length })
  expect(line).not.toHaveProperty('limit')
})

test.runIf(process.platform === 'linux')('tunnel: both of its sockets have TCP keep-alive on', async (t) => {
  const { raw, socket } = await tunnelled(t)
  // The timer column of /proc/net/tcp is 02 while the next timer is that of a keep-alive probe.
  const ports = [raw.socket.remotePort, socket.remotePort].map((port = 0) => port.toString(16).toUpperCase())
  const rows = readFileSync('/proc/net/tcp', 'latin1').split('\n').slice(1)
  const timerAt = (port: string) =>
    rows
      .map((row) => row.trim().split(/\s+/))
      .find(([, local = '', , state]) => state === '01' && local.endsWith(`:${port.padStart(4, '0')}`))?.[5]
  expect(ports.map((port) => timerAt(port)?.slice(0, 2))).toEqual(['02', '02'])
})
