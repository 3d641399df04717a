/** A waiter of a shared call was cut by the deadline of the client that began the call, and got that client's fault. */

import { expect, test } from 'vitest'
import { ask, problemOf } from '../support/client.ts'
import type { Scene, Scope } from '../support/scripted-upstream.ts'
import { withSidecar } from '../support/sidecar.ts'

const POLICIES = {
  collapse: { collapse: true },
  hold: { hold: { json: '/state', in: ['busy'], upTo: '60s', every: '5s' } },
}
const KINDS = ['collapse', 'hold'] as const

async function withPolicy(t: Scope, policy: keyof typeof POLICIES, scenes: readonly Scene[]) {
  const fixture = await withSidecar(t, scenes, {
    defaults: { retry: { attempts: 1 }, timeout: { attempt: '10s', total: '3s' } },
    web: { routes: [{ match: 'GET /r', ...POLICIES[policy] }] },
    path: '/r',
  })
  const lines = () => fixture.proxy.log.filter(({ msg }) => msg === 'request')
  const joined = () => fixture.proxy.logged(({ msg }) => msg === 'shared')
  return { ...fixture, lines, joined }
}

/** A scene that answers once `answer` is called. */
function answering() {
  const { promise, resolve } = Promise.withResolvers<void>()
  const scene: Scene = (_, response) => {
    void promise.then(() => {
      response.writeHead(200, { 'content-type': 'application/json' })
      response.end('{"state":"done"}')
    })
  }
  return { scene, answer: resolve }
}

test.for(KINDS)('%s: a client that joins later has its own timeout.total', async (policy, t) => {
  const { scene, answer } = answering()
  const { clock, upstream, url, joined } = await withPolicy(t, policy, [scene])
  const first = ask(url)
  await upstream.begun(1)
  await clock.advance(2_200)
  const second = ask(url, { headers: { 'x-request-id': 'second' } })
  await joined()
  await clock.elapse(800)
  expect(problemOf(await first).type).toBe('urn:breakwater:total_timeout')
  await clock.advance(1_100)
  answer()
  expect((await second).body.toString()).toBe('{"state":"done"}')
  expect(upstream.arrivals).toHaveLength(1)
})

test.for(KINDS)('%s: each client gets the fault of its own timeout', async (policy, t) => {
  const { clock, upstream, url, joined, lines } = await withPolicy(t, policy, ['hang'])
  const hasty = ask(url, { headers: { 'x-request-timeout': '0.4' } })
  await upstream.begun(1)
  const patient = ask(url)
  await joined()
  await clock.elapse(400)
  expect(problemOf(await hasty).type).toBe('urn:breakwater:client_deadline')
  await clock.elapse(2_600)
  expect(problemOf(await patient).type).toBe('urn:breakwater:total_timeout')
  expect(lines()).toMatchObject([
    { reason: 'client_deadline', attempts: 1, shared: true, total_ms: 400 },
    { reason: 'total_timeout', attempts: 1, shared: true, total_ms: 3_000 },
  ])
})

test.for(KINDS)('%s: the log line of each client has the attempts of the shared call', async (policy, t) => {
  const { scene, answer } = answering()
  const { upstream, proxy, url, joined, lines } = await withPolicy(t, policy, ['reset', scene])
  await ask(`${url}?warm`)
  const both = [ask(url), ask(url)]
  await upstream.begun(2)
  await joined()
  answer()
  expect((await Promise.all(both)).map(({ status }) => status)).toEqual([200, 200])
  await proxy.logged((line) => line === lines()[2])
  expect(lines().slice(1)).toMatchObject([
    { attempts: 1, shared: true },
    { attempts: 1, shared: true },
  ])
})
