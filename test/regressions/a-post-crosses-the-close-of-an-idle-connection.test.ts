import { expect, test } from 'vitest'
import { ask } from '../support/client.ts'
import { withSidecar } from '../support/sidecar.ts'
import type { Scope } from '../support/scripted-upstream.ts'

/** An upstream that has been seen to close a connection that was idle for two seconds. */
async function seenToClose(t: Scope) {
  const sidecar = await withSidecar(t, [{}], { web: { connections: { idle: '10s' } } })
  const { clock, upstream, url, proxy } = sidecar
  const post = () => ask(`${url}/jobs`, { method: 'POST' })
  await post()
  await clock.advance(2_000)
  upstream.dropConnections()
  await upstream.gone(1)
  // By the answer the sidecar has seen the close.
  await proxy.metrics()
  await post()
  expect(upstream.connections()).toBe(2)
  return { ...sidecar, post }
}

test('keep-alive: a POST takes a new connection where the kept one may be closed before it arrives', async (t) => {
  const { clock, upstream, post } = await seenToClose(t)
  await clock.advance(1_799)
  await post()
  expect(upstream.connections()).toBe(2)
  await clock.advance(1_801)
  await post()
  expect(upstream.connections()).toBe(3)
})

test('keep-alive: what may be repeated takes the kept connection, and its answer shows that the close had another reason', async (t) => {
  const { clock, upstream, post, url } = await seenToClose(t)
  await clock.advance(2_001)
  await ask(`${url}/jobs/7`)
  await clock.advance(2_001)
  await post()
  expect(upstream.connections()).toBe(2)
})

test('keep-alive: what an upstream was seen to do counts for a minute', async (t) => {
  const { clock, upstream, post } = await seenToClose(t)
  for (let i = 0; i < 40; i += 1) {
    await clock.advance(1_500)
    await post()
  }
  await clock.advance(2_500)
  await post()
  expect(upstream.connections()).toBe(2)
})

test('keep-alive: a POST that was lost on a closed connection teaches as much', async (t) => {
  const { clock, upstream, proxy, url } = await withSidecar(t, [{}, 'reset', {}], { web: { retry: { attempts: 1 } } })
  const post = () => ask(`${url}/jobs`, { method: 'POST' })
  await post()
  await clock.advance(1_000)
  expect((await post()).status).toBe(502)
  await post()
  await proxy.metrics()
  await clock.advance(950)
  await post()
  expect(upstream.connections()).toBe(3)
})
