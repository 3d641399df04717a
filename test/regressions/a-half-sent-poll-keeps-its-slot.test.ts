/** A held poll whose body stopped coming held its slot and its connection for ever, also after its client had left. */

import { expect, test } from 'vitest'
import { ask, openRaw, problemOf } from '../support/client.ts'
import type { Scene, Scope } from '../support/scripted-upstream.ts'
import { withSidecar } from '../support/sidecar.ts'

/** Sends its head and the beginning of its body, and no more. */
const halfSent: Scene = (_, response) => {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': '64' })
  response.write('{"status": "run')
}

const withHold = (t: Scope, scenes: readonly Scene[]) =>
  withSidecar(t, scenes, {
    defaults: { retry: { attempts: 1 }, timeout: { attempt: '6s', total: '50s', idle: '9s' } },
    web: {
      concurrency: { max: 1, queue: 0 },
      connections: { max: 1 },
      routes: [{ match: 'GET /runs/{id}', hold: { json: '/status', in: ['running'], upTo: '40s', every: '2s' } }],
    },
  })

test('hold: a poll without progress ends after idle, and gives its slot back', async (t) => {
  const { clock, proxy, url } = await withHold(t, [halfSent, { body: 'well' }])
  const poll = ask(`${url}/runs/a`)
  await clock.elapse(9_000)
  expect(problemOf(await poll)).toMatchObject({ type: 'urn:breakwater:idle_timeout', status: 504 })
  expect((await ask(`${url}/other`)).body.toString()).toBe('well')
  expect(await proxy.sample('inFlight', { upstream: 'web' })).toBe(0)
})

test('hold: polling goes on after a poll that stalls in its body', async (t) => {
  const pending = { headers: { 'content-type': 'application/json' }, body: '{"status":"running"}' }
  const done = { headers: { 'content-type': 'application/json' }, body: '{"status":"done"}' }
  const { clock, upstream, url } = await withHold(t, [pending, halfSent, done])
  const poll = ask(`${url}/runs/b`)
  await clock.elapse(2_000)
  await upstream.begun(2)
  await clock.elapse(9_000)
  await clock.elapse(2_000)
  expect((await poll).body.toString()).toBe('{"status":"done"}')
})

test('hold: the client that leaves ends a poll that is half sent', async (t) => {
  const { clock, upstream, proxy, url, port } = await withHold(t, [halfSent, { body: 'well' }])
  const client = openRaw(port)
  client.send('GET /runs/c HTTP/1.1\r\nhost: x\r\n\r\n')
  await upstream.begun(1)
  await clock.armed(9_000)
  client.socket.destroy()
  await upstream.gone(1)
  await proxy.logged(({ msg }) => msg === 'request')
  expect((await ask(`${url}/other`)).status).toBe(200)
})
