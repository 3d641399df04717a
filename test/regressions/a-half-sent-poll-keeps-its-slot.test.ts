/** A held poll whose body stopped coming held its slot and its connection for ever, also after its client had left. */

import { expect, test } from 'vitest'
import { ask, openRaw, problemOf } from '../support/client.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { startProxy } from '../support/proxy.ts'
import { type Scene, type Scope, scriptedUpstream } from '../support/scripted-upstream.ts'

/** Sends its head and the beginning of its body, and no more. */
const halfSent: Scene = (_, response) => {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': '64' })
  response.write('{"status": "run')
}

async function before(t: Scope, scenes: readonly Scene[]) {
  const clock = fakeClock()
  const upstream = await scriptedUpstream(t, clock, scenes)
  const hold = { json: '/status', in: ['running'], upTo: '40s', every: '2s' }
  const proxy = await startProxy(t, {
    clock,
    defaults: { retry: { attempts: 1 }, timeout: { attempt: '6s', total: '50s', idle: '9s' } },
    upstreams: {
      jobs: {
        url: upstream.origin,
        listen: '127.0.0.1:0',
        concurrency: { max: 1, queue: 0 },
        connections: { max: 1 },
        routes: [{ match: 'GET /runs/{id}', hold }],
      },
    },
  })
  const url = proxy.own('jobs')
  return { clock, upstream, proxy, url, port: Number(new URL(url).port) }
}

test('hold: a poll without progress ends after idle, and gives its slot back', async (t) => {
  const { clock, proxy, url } = await before(t, [halfSent, { body: 'well' }])
  const poll = ask(`${url}/runs/a`)
  await clock.elapse(9_000)
  expect(problemOf(await poll)).toMatchObject({ type: 'urn:breakwater:idle_timeout', status: 504 })
  expect((await ask(`${url}/other`)).body.toString()).toBe('well')
  expect(await proxy.sample('inFlight', { upstream: 'jobs' })).toBe(0)
})

test('hold: the pending answer survives a later poll without progress', async (t) => {
  const pending = { headers: { 'content-type': 'application/json' }, body: '{"status":"running"}' }
  const done = { headers: { 'content-type': 'application/json' }, body: '{"status":"done"}' }
  const { clock, upstream, url } = await before(t, [pending, halfSent, done])
  const poll = ask(`${url}/runs/b`)
  await clock.elapse(2_000)
  await upstream.begun(2)
  await clock.elapse(9_000)
  await clock.elapse(2_000)
  expect((await poll).body.toString()).toBe('{"status":"done"}')
})

test('hold: the client that leaves ends a poll that is half sent', async (t) => {
  const { clock, upstream, proxy, url, port } = await before(t, [halfSent, { body: 'well' }])
  const client = openRaw(port)
  client.send('GET /runs/c HTTP/1.1\r\nhost: x\r\n\r\n')
  await upstream.begun(1)
  await clock.armed(9_000)
  client.socket.destroy()
  await upstream.gone(1)
  await proxy.logged(({ msg }) => msg === 'request')
  expect((await ask(`${url}/other`)).status).toBe(200)
})
