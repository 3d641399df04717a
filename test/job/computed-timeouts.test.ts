import { expect, test } from 'vitest'
import { ask, openRaw, problemOf } from '../support/client.ts'
import type { Scope } from '../support/scripted-upstream.ts'
import { withSidecar } from '../support/sidecar.ts'

/** Timeout `wait`: 10 s and 1 s for each item, from 2 s to 60 s. */
const TOP = {
  job: {
    inputs: { items: { header: 'x-items', query: 'items', json: '/job/items', default: 5, min: 0, max: 100 } },
  },
  timeouts: { wait: { base: '10s', per: { items: '1s' }, min: '2s', max: '60s' } },
}

async function withComputed(t: Scope, timeout: object = { total: { computed: 'wait' } }, settings: object = {}) {
  const fixture = await withSidecar(t, ['hang'], {
    top: TOP,
    web: { retry: { attempts: 1 }, breaker: { consecutiveFailures: 100 }, timeout, ...settings },
  })
  const { clock, upstream, proxy, url } = fixture
  let sent = 0
  /** Sends a request that hangs; returns the ms after which its attempt times out. */
  const patience = async (path: string, options: Parameters<typeof ask>[1] = {}) => {
    const answer = ask(`${url}${path}`, options)
    sent += 1
    const { body } = await upstream.arrival(sent)
    const attempts = () => proxy.log.filter(({ msg }) => msg === 'attempt')
    while (attempts().length < sent) await clock.advance(500)
    expect((await answer).status).toBe(504)
    return { ms: attempts().at(-1)?.duration_ms, body: body.toString() }
  }
  return { ...fixture, patience }
}

test('computed timeout: inputs come from a header, the query, the body or the default', async (t) => {
  const { patience, proxy } = await withComputed(t)
  expect(await patience('/default')).toMatchObject({ ms: 15_000 })
  expect(await patience('/header', { headers: { 'x-items': '20' } })).toMatchObject({ ms: 30_000 })
  expect(await patience('/query?items=30')).toMatchObject({ ms: 40_000 })
  expect(await patience('/both?items=30', { headers: { 'x-items': '1' } })).toMatchObject({ ms: 11_000 })
  const body = JSON.stringify({ job: { items: 40 }, more: 'x'.repeat(1000) })
  const json = {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json', 'content-length': String(body.length) },
  }
  expect(await patience('/body', json)).toEqual({ ms: 50_000, body })
  expect(await patience('/largest', { headers: { 'x-items': '100' } })).toMatchObject({ ms: 60_000 })
  expect(await proxy.sample('inputsRefused', { input: 'items' })).toBeUndefined()
})

test('computed timeout: an input out of range falls back to the default and is counted', async (t) => {
  const { patience, proxy } = await withComputed(t)
  for (const [i, value] of ['many', '-1', '101', 'Infinity', ' '].entries()) {
    expect(await patience(`/bad${i}`, { headers: { 'x-items': value } })).toMatchObject({ ms: 15_000 })
  }
  const broken = {
    method: 'POST',
    body: '{"job": {"items": ',
    headers: { 'content-type': 'application/json', 'content-length': '18' },
  }
  expect(await patience('/broken', broken)).toEqual({ ms: 15_000, body: broken.body })
  expect(await proxy.sample('inputsRefused', { input: 'items' })).toBe(5)
})

test.for(['constructor', '__proto__', 'toString'])(
  'computed timeout: the input word %s has no factor, as any unlisted word',
  async (word, t) => {
    const { clock, upstream, proxy, url } = await withSidecar(t, ['hang'], {
      top: {
        job: { inputs: { ratio: { header: 'x-ratio', default: '16:9' } } },
        timeouts: { total: { base: '10s', times: { ratio: { '9:16': 2 } }, min: '2s', max: '60s' } },
      },
      web: { timeout: { total: { computed: 'total' } } },
    })
    const answer = ask(url, { headers: { 'x-ratio': word } })
    await upstream.arrival(1)
    await clock.advance(60_000)
    expect((await answer).status).toBe(504)
    expect(await proxy.logged(({ msg }) => msg === 'request')).toMatchObject({ total_ms: 10_000 })
    const job = await ask(`${proxy.controlUrl}/v1/jobs/1`, { method: 'PUT', body: JSON.stringify({ ratio: word }) })
    expect([job.status, JSON.parse(job.body.toString()).timeouts]).toEqual([201, { total: 10 }])
  },
)

const HALF =
  'POST /jobs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 24\r\n\r\n{"job": {"items"'

test('computed timeout: a client that stalls in its body times out after the default total', async (t) => {
  const { clock, upstream, port } = await withComputed(t, { attempt: '90s', total: { computed: 'wait' } })
  const stalled = openRaw(port)
  stalled.send(HALF)
  await clock.elapse(15_000)
  expect(await stalled.until(/client_stalled/)).toMatch(/^HTTP\/1.1 408 /)
  expect(upstream.arrivals).toEqual([])
  stalled.socket.destroy()
})

test('computed timeout: a client that leaves while sending its body takes no place in the queue', async (t) => {
  // With an idle timeout over the total, the wait for the body is bounded by the total.
  const timeout = { attempt: { computed: 'wait' }, total: '100s', idle: '150s' }
  const { clock, proxy, upstream, port } = await withComputed(t, timeout, { concurrency: { max: 1, queue: 1 } })
  const first = openRaw(port)
  first.send('GET /first HTTP/1.1\r\nHost: x\r\n\r\n')
  await upstream.begun(1)
  const leaver = openRaw(port)
  leaver.send(HALF)
  await clock.armed(100_000)
  leaver.socket.destroy()
  await proxy.logged(({ reason }) => reason === 'client_gone')
  expect(await proxy.sample('queued', { upstream: 'web' })).toBe(0)
  first.socket.destroy()
})

test('computed timeout: divideBy bounds a request by a share of the computed timeout', async (t) => {
  const { patience } = await withComputed(t, { total: { computed: 'wait', divideBy: 'items' } })
  expect(await patience('/each', { headers: { 'x-items': '10' } })).toMatchObject({ ms: 2_000 })
})

test('computed timeout: a computed total ends the request', async (t) => {
  const { clock, proxy, upstream } = await withComputed(t, { attempt: '90s', total: { computed: 'wait' } })
  const answer = ask(`${proxy.own('web')}/x`, { headers: { 'x-items': '2' } })
  await upstream.arrival(1)
  await clock.advance(12_000)
  expect(problemOf(await answer)).toMatchObject({ type: 'urn:breakwater:total_timeout' })
})
