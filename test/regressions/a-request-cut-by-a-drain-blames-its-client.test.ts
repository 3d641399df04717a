/** A request that a drain cut was logged as client_gone, and a request without a response head got no answer at all. */

import { expect, test } from 'vitest'
import { openRaw } from '../support/client.ts'
import type { Scene, Scope } from '../support/scripted-upstream.ts'
import { withSidecar } from '../support/sidecar.ts'

const GET = 'GET /slow HTTP/1.1\r\nhost: x\r\n\r\n'
const UPGRADE = 'GET /chat HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n'

const endless: Scene = (_, response) => {
  response.writeHead(200, { 'content-type': 'text/plain' })
  response.write('beginning')
}
const chat: Scene = ({ socket }) =>
  void socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nwelcome')

/** Drains a sidecar with one request under way. @param sign what the client must have received before the drain. */
async function afterDrain(t: Scope, scene: Scene, request: string, sign: RegExp | undefined) {
  const { clock, upstream, proxy, port } = await withSidecar(t, [scene], { top: { shutdown: '4s' } })
  const client = openRaw(port)
  client.send(request)
  await upstream.begun(1)
  if (sign !== undefined) await client.until(sign)
  const drained = proxy.app.drain()
  await clock.elapse(1_000)
  await clock.elapse(4_000)
  await drained
  const line = await proxy.logged(({ msg }) => msg === 'request')
  return { client, line, how: await client.ended }
}

test('drain: a request without a response head is answered 503 shutdown', async (t) => {
  const { client, line } = await afterDrain(t, 'hang', GET, undefined)
  expect(client.received).toMatch(/^HTTP\/1\.1 503 [\s\S]*urn:breakwater:shutdown/)
  expect(line).toMatchObject({ status: 503, reason: 'shutdown', history: [{ outcome: 'shutdown' }] })
})

test('drain: a response that is cut ends by a reset and is logged as shutdown', async (t) => {
  // For an HTTP/1.0 client the body ends with the connection: after a clean end it would take the body for whole.
  const { line, how } = await afterDrain(t, endless, 'GET /slow HTTP/1.0\r\n\r\n', /beginning/)
  expect(how).toBe('reset')
  expect(line).toMatchObject({ status: 200, reason: 'shutdown' })
})

test('drain: a tunnel that is cut is logged as shutdown', async (t) => {
  const { line } = await afterDrain(t, chat, UPGRADE, /welcome/)
  expect(line).toMatchObject({ status: 101, reason: 'shutdown' })
})
