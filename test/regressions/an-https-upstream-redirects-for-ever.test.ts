import type { RequestListener } from 'node:http'
import { expect, test } from 'vitest'
import { ask } from '../support/client.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { startProxy } from '../support/proxy.ts'
import { fixture, tlsUpstream } from '../support/tls-upstream.ts'

/** Rails, Django and others behave like this when they are told to force HTTPS. */
const forcesHttps: RequestListener = (request, response) => {
  const { 'x-forwarded-proto': proto, ...headers } = request.headers
  if (proto === 'http') response.writeHead(301, { location: `https://${headers.host}${request.url}` }).end()
  else response.end(JSON.stringify({ ...headers, proto }))
}

test('forwarded: an https upstream that forces HTTPS by X-Forwarded-Proto answers, and is told no address', async (t) => {
  const { port } = await tlsUpstream(t, forcesHttps)
  const proxy = await startProxy(t, {
    clock: fakeClock(),
    upstreams: { web: { url: `https://127.0.0.1:${port}`, listen: '127.0.0.1:0', tls: { ca: fixture('ca.pem') } } },
  })
  const answer = await ask(`${proxy.own('web')}/jobs`)
  expect(answer.status).toBe(200)
  const told = JSON.parse(answer.body.toString())
  for (const name of ['x-forwarded-for', 'x-forwarded-host', 'proto', 'via']) expect(told).not.toHaveProperty(name)
})
