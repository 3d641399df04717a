import { expect, test } from 'vitest'
import { ask, problemOf } from '../../support/client.ts'
import type { Scene, Scope } from '../../support/scripted-upstream.ts'
import { withSidecar } from '../../support/sidecar.ts'

/** Two upstreams, `web` and `other`, whose requests share the limit `gpu`; those of the route GET /status take no slot. */
async function withGpu(t: Scope, gpu: object, timeout: object = {}) {
  const gates: (() => void)[] = []
  const scene: Scene = ({ url }, response) => {
    if (url === '/status') return void response.end('ok')
    gates.push(() => response.end('ok'))
  }
  const settings = { limit: 'gpu', timeout, retry: { attempts: 1 }, routes: [{ match: 'GET /status', limit: false }] }
  const sidecar = await withSidecar(t, [scene], {
    top: { limits: { gpu } },
    web: settings,
    others: (url) => ({ other: { url, listen: '127.0.0.1:0', ...settings } }),
  })
  return { ...sidecar, gates, other: sidecar.proxy.own('other') }
}

test('limits: requests of two upstreams share one slot; a route without the limit is not held up', async (t) => {
  const { upstream, gates, url, other, proxy, clock } = await withGpu(t, { max: 1 })
  const first = ask(url)
  await upstream.arrival(1)
  const second = ask(other)
  await clock.armed(5_000)
  expect((await ask(`${other}/status`)).status).toBe(200)
  expect(await proxy.sample('sharedInUse', { limit: 'gpu' })).toBe(1)
  expect(await proxy.sample('sharedQueued', { limit: 'gpu' })).toBe(1)
  expect(await proxy.sample('sharedMax', { limit: 'gpu' })).toBe(1)
  const shown = await ask(`${proxy.controlUrl}/v1/upstreams`)
  expect(JSON.parse(shown.body.toString()).limits).toEqual([{ name: 'gpu', max: 1, in_use: 1, queued: 1 }])
  gates[0]?.()
  expect((await first).status).toBe(200)
  await upstream.arrival(3)
  gates[1]?.()
  expect((await second).status).toBe(200)
})

test('limits: a refusal names the limit by its key, in the answer and in the log', async (t) => {
  const { upstream, gates, url, other, proxy, clock } = await withGpu(t, { max: 1, queue: 1, queueTimeout: '3s' })
  const first = ask(url)
  await upstream.arrival(1)
  const second = ask(url)
  await clock.armed(3_000)
  const full = problemOf(await ask(other))
  expect(full).toMatchObject({
    type: 'urn:breakwater:queue_full',
    detail: 'limits.gpu.max: 1 are in use and 1 wait',
    limit: { key: 'limits.gpu.queue', value: 1 },
  })
  expect(await proxy.logged(({ reason }) => reason === 'queue_full')).toMatchObject({
    upstream: 'other',
    limit: 'limits.gpu.queue: 1',
  })
  await clock.elapse(3_000)
  expect(problemOf(await second)).toMatchObject({
    type: 'urn:breakwater:queue_timeout',
    limit: { key: 'limits.gpu.queueTimeout', value: '3s' },
  })
  gates[0]?.()
  expect((await first).status).toBe(200)
})

test('limits: slots in use and waiters outlive a reload, which lets in as many as the new max allows', async (t) => {
  const { upstream, gates, url, other, proxy, clock } = await withGpu(t, { max: 1 })
  const answers = [ask(url)]
  await upstream.arrival(1)
  answers.push(ask(other))
  await clock.armed(5_000)
  await clock.advance(1)
  answers.push(ask(other))
  await clock.armed(5_000)
  expect((await proxy.reload({ top: { limits: { gpu: { max: 2 } } } })).status).toBe(200)
  await upstream.arrival(2)
  expect(upstream.arrivals).toHaveLength(2)
  for (const at of [0, 1]) gates[at]?.()
  await upstream.arrival(3)
  gates[2]?.()
  expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([200, 200, 200])
  expect(await proxy.sample('sharedInUse', { limit: 'gpu' })).toBe(0)
})
