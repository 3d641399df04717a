/**
 * A client that went on sending after its CONNECT or malformed request was refused kept its connection for ever, even
 * after it had closed it: the sidecar no longer read the socket, so it never saw the end. (Found by the fuzz, seed
 * 11.)
 */

import { test } from 'vitest'
import { openRaw } from '../support/client.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { startProxy } from '../support/proxy.ts'
import { until } from '../support/until.ts'

const REFUSED = [
  ['CONNECT', 'CONNECT web:443 HTTP/1.1\r\nhost: web:443\r\n\r\n'],
  ['malformed head', 'GET / HTTP/1.1\r\nhost x\r\n\r\n'],
] as const

test.for(REFUSED)(
  'connection: after a refused %s more bytes are dropped and the end is seen',
  async ([, request], t) => {
    const clock = fakeClock()
    const proxy = await startProxy(t, { clock, upstreams: { web: { url: 'http://127.0.0.1:9' } } })
    const open = async () => await proxy.sample('clientConnections', { listener: 'listen' })
    const port = Number(new URL(proxy.url).port)
    const client = openRaw(port)
    client.send(request)
    await client.until(/^HTTP\/1\.1 40[05][\s\S]*\}$/)
    client.send('x'.repeat(200_000))
    client.socket.end()
    await until(async () => (await open()) === 0)
    client.socket.destroy()
  },
)

test('connection: a client that is refused and neither sends nor leaves is cut after five seconds', async (t) => {
  const clock = fakeClock()
  const proxy = await startProxy(t, { clock, upstreams: { web: { url: 'http://127.0.0.1:9' } } })
  const client = openRaw(Number(new URL(proxy.url).port))
  client.socket.allowHalfOpen = true
  client.send('CONNECT web:443 HTTP/1.1\r\nhost: web:443\r\n\r\n')
  await client.until(/\}$/)
  await clock.elapse(5_000)
  const open = async () => await proxy.sample('clientConnections', { listener: 'listen' })
  await until(async () => (await open()) === 0)
  client.socket.destroy()
})
