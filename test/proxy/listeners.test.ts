import { expect, test } from 'vitest'
import { ask, openRaw } from '../support/client.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { takenPort } from '../support/ports.ts'
import { startProxy } from '../support/proxy.ts'
import type { Scene } from '../support/scripted-upstream.ts'
import { withSidecar } from '../support/sidecar.ts'

const DEAD = { web: { url: 'http://127.0.0.1:9' } }

test.for([
  ['listen', (at: string) => ({ top: { listen: at }, upstreams: DEAD })],
  ['control.listen', (at: string) => ({ top: { control: { listen: at } }, upstreams: DEAD })],
  ['upstreams.web.listen', (at: string) => ({ upstreams: { web: { ...DEAD.web, listen: at } } })],
] as const)(
  'listener: a port in use is an error that names %s, and nothing is left listening',
  async ([key, settings], t) => {
    const port = await takenPort(t)
    const start = startProxy(t, { clock: fakeClock(), ...settings(`127.0.0.1:${port}`) })
    await expect(start).rejects.toThrow(`${key} 127.0.0.1:${port}: the port is in use`)
  },
)

test('control listener: an address off loopback without control.token stops the start', async (t) => {
  const start = startProxy(t, { clock: fakeClock(), upstreams: DEAD, top: { control: { listen: '0.0.0.0:0' } } })
  await expect(start).rejects.toThrow('control.listen: is not loopback: set control.token')
  const proxy = await startProxy(t, {
    clock: fakeClock(),
    upstreams: DEAD,
    top: { control: { listen: '0.0.0.0:0', token: 'secret-token' } },
  })
  expect((await ask(`http://127.0.0.1:${proxy.app.addresses().control.port}/livez`)).status).toBe(200)
  expect(JSON.stringify(proxy.log)).not.toContain('secret-token')
})

test('shared listener: can be turned off', async (t) => {
  const { proxy, url } = await withSidecar(t, [{ body: 'ok' }], { top: { listen: false } })
  expect(proxy.app.addresses().shared).toBeUndefined()
  expect((await ask(url)).body.toString()).toBe('ok')
})

test('drain: /readyz fails at once, connections are refused after 1 s, requests finish', async (t) => {
  let finish = () => {}
  const held: Scene = (_request, response) => {
    finish = () => response.end('finished')
  }
  const { clock, upstream, proxy, url } = await withSidecar(t, [held, { body: 'still served' }])
  const inFlight = ask(url)
  await upstream.arrival(1)
  const drained = proxy.app.drain()
  expect((await ask(`${proxy.controlUrl}/readyz`)).status).toBe(503)
  expect((await ask(`${proxy.controlUrl}/livez`)).status).toBe(200)
  const late = await ask(url)
  expect([late.status, late.headers.connection]).toEqual([200, 'close'])
  await clock.elapse(1_000)
  await expect(ask(url)).rejects.toThrow('ECONNREFUSED')
  finish()
  const answer = await inFlight
  expect([answer.body.toString(), answer.headers.connection]).toEqual(['finished', 'close'])
  await drained
  expect(proxy.log.map(({ msg }) => msg).filter((msg) => /drain/.test(msg ?? ''))).toEqual(['draining', 'drained'])
  await expect(ask(`${proxy.controlUrl}/livez`)).rejects.toThrow('ECONNREFUSED')
})

test('drain: does not wait for idle keep-alive connections', async (t) => {
  const { clock, upstream, proxy, port } = await withSidecar(t, [{ body: 'ok' }])
  const idle = openRaw(port)
  idle.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  await idle.until(/ok/)
  const drained = proxy.app.drain()
  await clock.elapse(1_000)
  await drained
  expect(await idle.ended).toBe('end')
  await upstream.gone(1)
})
