import { expect, test } from 'vitest'
import { openRaw } from '../../support/client.ts'
import { fakeClock } from '../../support/fake-clock.ts'
import { startProxy } from '../../support/proxy.ts'
import { scriptedUpstream } from '../../support/scripted-upstream.ts'

const isRequest = ({ msg }: { readonly msg?: string }) => msg === 'request'

test('history: an attempt answered before its whole request was sent has early: true', async (t) => {
  const clock = fakeClock()
  const upstream = await scriptedUpstream(t, clock, [{ status: 503, early: true }])
  const proxy = await startProxy(t, { clock, upstreams: { api: { url: upstream.origin } } })
  const client = openRaw(Number(new URL(proxy.url).port))
  client.send('PUT /api/a HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\nhalf')
  await client.until(/^HTTP\/1\.1 503 /)
  client.socket.destroy()
  const line = await proxy.logged(isRequest)
  expect(line).toMatchObject({ status: 503, attempts: 1, history: [{ at_ms: 0, outcome: '503', early: true }] })
})

test('history: has a response that was not relayed because the client left', async (t) => {
  const clock = fakeClock()
  const upstream = await scriptedUpstream(t, clock, [{ status: 503 }])
  const proxy = await startProxy(t, { clock, upstreams: { api: { url: upstream.origin } } })
  const client = openRaw(Number(new URL(proxy.url).port))
  client.send('GET /api/a HTTP/1.1\r\nhost: x\r\n\r\n')
  await clock.armed(2_000)
  client.socket.destroy()
  const line = await proxy.logged(isRequest)
  expect(line).toMatchObject({
    status: 499,
    reason: 'client_gone',
    attempts: 1,
    history: [{ at_ms: 0, outcome: '503' }],
  })
})

test('history: a request whose only attempt was relayed has no history', async (t) => {
  const clock = fakeClock()
  const upstream = await scriptedUpstream(t, clock, [{}])
  const proxy = await startProxy(t, { clock, upstreams: { api: { url: upstream.origin } } })
  await fetch(`${proxy.url}/api/a`)
  expect(await proxy.logged(isRequest)).not.toHaveProperty('history')
})
