import { expect, test } from 'vitest'
import { ask, openRaw } from '../support/client.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { startProxy } from '../support/proxy.ts'
import { scriptedUpstream } from '../support/scripted-upstream.ts'
import { withSidecar } from '../support/sidecar.ts'

const OFFERS = [
  { upgrade: 'TLS/1.2', connection: 'Upgrade' },
  { upgrade: 'TLS/1.3, TLS/1.2', connection: 'keep-alive, Upgrade' },
  { upgrade: 'websocket', connection: 'Upgrade' },
  { upgrade: 'websocket, foo', connection: 'Upgrade' },
  { upgrade: 'h2c', connection: 'Upgrade, HTTP2-Settings', 'http2-settings': 'AAMAAABkAAQAAP__' },
]

test.for(OFFERS)('upgrade: a POST that offers $upgrade arrives with its body', async ({ upgrade, ...others }, t) => {
  const { upstream, port } = await withSidecar(t, [{ status: 201, body: 'made' }])
  const raw = openRaw(port)
  const head = Object.entries({ host: 'x', upgrade, ...others }).map(([name, value]) => `${name}: ${value}`)
  for (const [n, body] of ['first body', 'another one'].entries()) {
    raw.send(`POST /jobs HTTP/1.1\r\n${head.join('\r\n')}\r\ncontent-length: ${body.length}\r\n\r\n`)
    if (n === 0) raw.send(body.slice(0, 4))
    raw.send(n === 0 ? body.slice(4) : body)
    const arrival = await upstream.arrival(n + 1)
    expect([arrival.body.toString(), arrival.headers.upgrade]).toEqual([body, undefined])
  }
  await raw.until(/201[\s\S]*made[\s\S]*201[\s\S]*made/)
  expect(upstream.connections()).toBe(1)
  raw.socket.destroy()
})

test('upgrade: requests that offer a protocol not in `upgrades` are collapsed as any others', async (t) => {
  const clock = fakeClock()
  const upstream = await scriptedUpstream(t, clock, [{ body: 'one for both' }])
  const proxy = await startProxy(t, {
    clock,
    upstreams: { web: { url: upstream.origin, routes: [{ match: 'GET /same', collapse: true }] } },
  })
  const headers = { connection: 'Upgrade', upgrade: 'TLS/1.2' }
  const answers = await Promise.all([1, 2].map(() => ask(`${proxy.url}/web/same`, { headers })))
  expect(answers.map(({ body }) => String(body))).toEqual(['one for both', 'one for both'])
  expect(upstream.arrivals).toHaveLength(1)
})

test('upgrade: an answer that breaks off during the upload ends that request alone', async (t) => {
  const { proxy, url, port } = await withSidecar(t, [
    (_request, response) => {
      response.writeHead(200, { 'content-length': 100 })
      response.write('part', () => response.socket?.resetAndDestroy())
    },
    { body: 'well' },
  ])
  const raw = openRaw(port)
  raw.send(
    'POST / HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\ncontent-length: 2000\r\n\r\nsome of it',
  )
  expect(await proxy.logged(({ msg }) => msg === 'request')).toMatchObject({ reason: 'body_truncated' })
  expect(String((await ask(url)).body)).toBe('well')
  raw.socket.destroy()
})
