/**
 * Request bodies were kept for a retry without a limit on their total, also those of requests that are never retried
 * and those that a route with `collapse` reads before any limit: uploads that never end filled memory and disk.
 */

import { expect, test } from 'vitest'
import { ask, openRaw } from '../support/client.ts'
import { metric } from '../support/metric.ts'
import { type Scene, type Scope, scriptedUpstream } from '../support/scripted-upstream.ts'
import { withSidecar } from '../support/sidecar.ts'
import { until } from '../support/until.ts'

const KIB = 1024

async function withUploads(t: Scope, scenes: readonly Scene[], route: object = {}, bodies: object = {}) {
  const fixture = await withSidecar(t, scenes, {
    top: { bodies: { memory: '64KiB', disk: '128KiB', ...bodies } },
    defaults: { retry: { bodyBuffer: { memory: '32KiB', disk: '1MiB' } }, timeout: { idle: '7s' } },
    web: { routes: [{ match: '* /up', ...route }] },
    path: '/up',
  })
  const { proxy, port } = fixture
  const kept = async () => {
    const metrics = await proxy.metrics()
    return ['memory', 'disk'].map((place) => metrics.get(metric('bodiesKept', { place })))
  }
  const unkept = async () =>
    (await proxy.sample('bodiesUnkept', { upstream: 'web', route: '* /up', why: 'total' })) ?? 0
  /** Announces 400 KiB and sends the first `bytes` of them. */
  const upload = (method: string, bytes: number) => {
    const client = openRaw(port)
    client.send(`${method} /up HTTP/1.1\r\nhost: x\r\ncontent-length: ${400 * KIB}\r\n\r\n${'u'.repeat(bytes)}`)
    return client
  }
  return { ...fixture, kept, unkept, upload }
}

test('bodies: kept bodies stay under the total in memory and on disk, and are freed', async (t) => {
  const { upstream, kept, unkept, upload } = await withUploads(t, ['hang'])
  const clients = Array.from({ length: 6 }, () => upload('PUT', 200 * KIB))
  await upstream.begun(6)
  await until(async () => (await unkept()) >= 4)
  const [memory = 0, disk = 0] = await kept()
  expect([memory <= 64 * KIB, disk <= 128 * KIB]).toEqual([true, true])
  for (const { socket } of clients) socket.destroy()
  await until(async () => (await kept()).join() === '0,0')
})

test('bodies: a body over the total is relayed whole, without being kept', async (t) => {
  const { upstream, url, unkept } = await withUploads(t, [{ body: 'taken' }], {}, { memory: '0B', disk: '0B' })
  const body = 'b'.repeat(300 * KIB)
  expect((await ask(url, { method: 'PUT', body })).body.toString()).toBe('taken')
  expect(upstream.arrivals[0]?.body.toString()).toBe(body)
  expect(await unkept()).toBe(1)
})

test('bodies: the body of a request that is never retried is not kept', async (t) => {
  const { upstream, kept, upload } = await withUploads(t, ['hang'])
  const client = upload('POST', 200 * KIB)
  await upstream.begun(1)
  await until(async () => (await kept()).join() === '0,0')
  client.send('u'.repeat(200 * KIB))
  await upstream.arrival(1)
  expect(await kept()).toEqual([0, 0])
  client.socket.destroy()
})

test('bodies: a POST is retried with its whole 2 MiB body after a refused connection', async (t) => {
  const { clock, upstream, url } = await withUploads(t, [{ body: 'taken' }])
  const { port } = upstream
  await upstream.close()
  const answer = ask(url, { method: 'POST', body: 'p'.repeat(2 * 1024 * KIB) })
  await clock.armed(2_000)
  const again = await scriptedUpstream(t, clock, [{ body: 'taken' }], port)
  await clock.elapse(2_000)
  expect((await answer).body.toString()).toBe('taken')
  expect(again.arrivals[0]?.body).toHaveLength(2 * 1024 * KIB)
})

test('collapse: a body over the total is not shared, and is sent whole', async (t) => {
  const { upstream, url, unkept } = await withUploads(t, [{ body: 'taken' }], { collapse: true }, { memory: '8KiB' })
  const body = 'c'.repeat(30 * KIB)
  const both = await Promise.all([ask(url, { method: 'PUT', body }), ask(url, { method: 'PUT', body })])
  expect(both.map(({ status }) => status)).toEqual([200, 200])
  expect(upstream.arrivals.map((one) => one.body.toString() === body)).toEqual([true, true])
  expect(await unkept()).toBe(2)
})

test('collapse: an upload without progress ends after idle', async (t) => {
  const { clock, port } = await withUploads(t, [{ body: 'taken' }], { collapse: true })
  const client = openRaw(port)
  client.send(`PUT /up HTTP/1.1\r\nhost: x\r\ncontent-length: 20000\r\n\r\nsome`)
  await clock.armed(7_000)
  await clock.advance(7_000)
  await clock.advance(7_000)
  expect(await client.until(/\}$/)).toMatch(/^HTTP\/1\.1 408 [\s\S]*client_stalled/)
})
