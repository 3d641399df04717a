import { expect, test } from 'vitest'
import { ask } from '../support/client.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { startProxy } from '../support/proxy.ts'
import { fixture, tlsUpstream } from '../support/tls-upstream.ts'

test('TLS: an upstream at a literal IPv6 address gets no server name, for requests and health checks', async (t) => {
  const { port, names } = await tlsUpstream(t, (_request, response) => response.end('ok'), {}, '::1')
  const web = { url: `https://[::1]:${port}`, listen: '127.0.0.1:0', tls: { ca: fixture('ca.pem') } }
  const proxy = await startProxy(t, { clock: fakeClock(), upstreams: { web: { ...web, health: { path: '/health' } } } })
  const answer = await ask(proxy.own('web'))
  expect([answer.status, answer.body.toString()]).toEqual([200, 'ok'])
  const health = JSON.parse((await ask(`${proxy.controlUrl}/health`)).body.toString())
  expect(health.checks.web).toMatchObject({ healthy: true })
  expect(names).toEqual([false, false])
})
