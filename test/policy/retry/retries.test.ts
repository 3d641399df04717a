import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { ask, openRaw, problemOf } from '../../support/client.ts'
import { EPOCH_MS, fakeClock } from '../../support/fake-clock.ts'
import { metric } from '../../support/metric.ts'
import { freePort } from '../../support/ports.ts'
import { startProxy } from '../../support/proxy.ts'
import { type Scene, type Scope, scriptedUpstream } from '../../support/scripted-upstream.ts'
import { withSidecar } from '../../support/sidecar.ts'

const withRetries = (t: Scope, scenes: readonly Scene[], settings: object = {}) =>
  withSidecar(t, scenes, { web: { breaker: { consecutiveFailures: 100 }, ...settings } })

const BUSY: Scene = { status: 503, body: 'busy' }
const times = (upstream: { arrivals: readonly { at: number }[] }) => upstream.arrivals.map(({ at }) => at)

test('retry: waits are 2, 4, 8 and 16 s, then the last answer is relayed as it is', async (t) => {
  const { clock, upstream, url } = await withRetries(t, [BUSY], { timeout: { attempt: '12s', total: '100s' } })
  const answer = ask(url)
  for (const ms of [2_000, 4_000, 8_000, 16_000]) await clock.elapse(ms)
  const { status, body, headers } = await answer
  expect([status, body.toString(), headers['x-breakwater-attempts']]).toEqual([503, 'busy', '5'])
  expect(times(upstream)).toEqual([0, 2_000, 6_000, 14_000, 30_000])
})

test('retry: x-breakwater-attempts is set after a retry, and only then', async (t) => {
  const { clock, url } = await withRetries(t, [BUSY, { body: 'ok' }])
  const answer = ask(url)
  await clock.elapse(2_000)
  expect((await answer).headers['x-breakwater-attempts']).toBe('2')
  expect((await ask(url)).headers['x-breakwater-attempts']).toBeUndefined()
})

test('retry: jitter spreads a wait symmetrically', async (t) => {
  const draws = [0, 0.999999]
  const { clock, url } = await withSidecar(t, [BUSY, BUSY, { body: 'ok' }], {
    random: () => draws.shift() ?? 0.5,
    web: { retry: { backoff: { jitter: 0.25 } } },
  })
  const answer = ask(url)
  await clock.elapse(1_500)
  await clock.elapse(4_000 * (1 + 0.25 * (2 * 0.999999 - 1)))
  expect((await answer).status).toBe(200)
})

test.for([
  // Half of the jitter of 10 % is added, so that many clients do not come back together.
  ['3', 3_150],
  [new Date(EPOCH_MS + 7_000).toUTCString(), 7_350],
  ['1', 2_000],
  ['soon', 2_000],
] as const)('retry: after Retry-After: %s the wait is %i ms', async ([value, ms], t) => {
  const { clock, upstream, url } = await withRetries(t, [
    { status: 429, headers: { 'retry-after': value } },
    { body: 'ok' },
  ])
  const answer = ask(url)
  await clock.elapse(ms)
  expect((await answer).body.toString()).toBe('ok')
  expect(times(upstream)).toEqual([0, ms])
})

test('retry: a response whose Retry-After passes the deadline is relayed at once, with its header', async (t) => {
  const { upstream, proxy, url } = await withRetries(t, [
    { status: 429, headers: { 'retry-after': '60' }, body: 'slow down' },
  ])
  const answer = await ask(url)
  expect([answer.status, answer.headers['retry-after'], answer.body.toString()]).toEqual([429, '60', 'slow down'])
  expect(upstream.arrivals).toHaveLength(1)
  expect(await proxy.sample('retriesDenied', { upstream: 'web', route: '*', why: 'deadline' })).toBe(1)
})

test('retry: no attempt starts after the deadline', async (t) => {
  const { clock, upstream, url } = await withRetries(t, ['hang'], { timeout: { attempt: '12s', total: '25s' } })
  const answer = ask(url)
  await upstream.arrival(1)
  await clock.advance(12_000)
  await clock.elapse(2_000)
  await upstream.arrival(2)
  await clock.advance(10_999)
  expect(upstream.arrivals).toHaveLength(2)
  await clock.advance(1)
  expect(problemOf(await answer)).toMatchObject({ type: 'urn:breakwater:total_timeout', status: 504, attempts: 2 })
  expect(times(upstream)).toEqual([0, 14_000])
})

test('retry: the last attempt before the deadline may use all the time that is left', async (t) => {
  let finish = () => {}
  const slow: Scene = (_request, response) => {
    finish = () => response.end('late')
  }
  const { clock, upstream, url } = await withRetries(t, ['hang', slow], { timeout: { attempt: '10s', total: '25s' } })
  const answer = ask(url)
  await upstream.arrival(1)
  await clock.advance(10_000)
  await clock.elapse(2_000)
  await upstream.arrival(2)
  await clock.advance(12_999)
  finish()
  expect((await answer).body.toString()).toBe('late')
})

test.for([
  ['reset', 'GET', 2],
  ['close', 'GET', 2],
  ['reset', 'PUT', 2],
  ['reset', 'POST', 1],
  ['reset', 'PATCH', 1],
] as const)('retry: after a %s by the upstream a %s is sent %i time(s)', async ([scene, method, sent], t) => {
  const { clock, upstream, url } = await withRetries(t, [scene, { body: 'ok' }])
  const answer = ask(url, { method, body: method === 'GET' ? '' : 'x' })
  if (sent === 2) await clock.elapse(2_000)
  const { status } = await answer
  expect([status, upstream.arrivals.length]).toEqual([sent === 2 ? 200 : 502, sent])
})

test('retry: a POST is retried if the route is idempotent or it has an Idempotency-Key', async (t) => {
  const { clock, upstream, url } = await withRetries(t, [BUSY, { body: 'ok' }, BUSY, { body: 'ok' }, BUSY], {
    routes: [{ match: 'POST /jobs', idempotent: true }],
  })
  const vouched = ask(`${url}/jobs`, { method: 'POST', body: '{"a":1}' })
  await clock.elapse(2_000)
  expect((await vouched).status).toBe(200)
  const keyed = ask(`${url}/other`, { method: 'POST', body: 'b', headers: { 'idempotency-key': 'k1' } })
  await clock.elapse(2_000)
  expect((await keyed).status).toBe(200)
  const plain = await ask(`${url}/other`, { method: 'POST', body: 'c' })
  expect(plain.status).toBe(503)
  expect(upstream.arrivals.map(({ body }) => body.toString())).toEqual(['{"a":1}', '{"a":1}', 'b', 'b', 'c'])
})

test('retry: a POST whose connect failed is retried, since nothing was sent', async (t) => {
  const clock = fakeClock()
  const port = await freePort()
  const proxy = await startProxy(t, {
    clock,
    upstreams: { web: { url: `http://127.0.0.1:${port}`, listen: '127.0.0.1:0' } },
  })
  const answer = ask(proxy.own('web'), { method: 'POST', body: 'precious' })
  await clock.armed(2_000)
  const upstream = await scriptedUpstream(t, clock, [{ body: 'ok' }], port)
  await clock.elapse(2_000)
  expect((await answer).body.toString()).toBe('ok')
  expect(upstream.arrivals.map(({ body }) => body.toString())).toEqual(['precious'])
})

test.for([200, 404, 422, 500, 501] as const)(
  'retry: a status that is not in `on` is relayed at once: %i',
  async (status, t) => {
    const { upstream, url } = await withRetries(t, [{ status, body: 'as it is' }])
    const answer = await ask(url)
    expect([answer.status, answer.body.toString(), upstream.arrivals.length]).toEqual([status, 'as it is', 1])
  },
)

test('retry: a body larger than memory is replayed from disk, byte for byte', async (t) => {
  const payload = randomBytes(3 * 1024 * 1024)
  const { clock, upstream, url } = await withRetries(
    t,
    [{ status: 503, headers: { connection: 'close' } }, 'reset', { body: 'ok' }],
    {
      retry: { bodyBuffer: { memory: '64KiB', disk: '8MiB' } },
    },
  )
  const answer = ask(url, { method: 'PUT', body: payload })
  await clock.elapse(2_000)
  await clock.elapse(4_000)
  expect((await answer).status).toBe(200)
  expect(upstream.arrivals.map(({ body }) => body.equals(payload))).toEqual([true, true, true])
})

test('retry: a body over both limits is streamed, not retried, and counted', async (t) => {
  const payload = randomBytes(300_000)
  const { upstream, proxy, url } = await withRetries(t, [BUSY], {
    retry: { bodyBuffer: { memory: '64KiB', disk: '128KiB' } },
  })
  const answer = await ask(url, { method: 'PUT', body: payload })
  expect([answer.status, upstream.arrivals.length]).toEqual([503, 1])
  expect(upstream.arrivals[0]?.body.equals(payload)).toBe(true)
  const metrics = await proxy.metrics()
  expect(metrics.get(metric('retriesDenied', { upstream: 'web', route: '*', why: 'body' }))).toBe(1)
  expect(metrics.get(metric('bodiesUnkept', { upstream: 'web', route: '*', why: 'too_large' }))).toBe(1)
})

test('retry: an answer that begins before the upload ends is not retried', async (t) => {
  const { upstream, port, proxy } = await withRetries(t, [{ status: 503, body: 'no room', early: true }])
  const raw = openRaw(port)
  raw.send('PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nonly this')
  await raw.until(/no room/)
  raw.socket.destroy()
  await proxy.logged(({ method }) => method === 'PUT')
  expect(upstream.connections()).toBe(1)
  expect(await proxy.sample('retriesDenied', { upstream: 'web', route: '*', why: 'early_response' })).toBe(1)
})

test('retry: a client that leaves during a back-off ends it; no further attempt is made', async (t) => {
  const { clock, upstream, proxy, port } = await withRetries(t, [BUSY])
  const raw = openRaw(port)
  raw.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  await clock.armed(2_000)
  raw.socket.destroy()
  const line = await proxy.logged(({ reason }) => reason === 'client_gone')
  expect(line).toMatchObject({ status: 499, attempts: 1 })
  expect(clock.pending()).not.toContain(2_000)
  await clock.advance(60_000)
  expect(upstream.arrivals).toHaveLength(1)
})

test('retry: a client that leaves during an attempt ends it; the breaker stays closed', async (t) => {
  const { upstream, proxy, port } = await withRetries(t, ['hang'], { breaker: { consecutiveFailures: 1 } })
  const raw = openRaw(port)
  raw.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  await upstream.arrival(1)
  raw.socket.destroy()
  await upstream.gone(1)
  await proxy.logged(({ reason }) => reason === 'client_gone')
  expect(await proxy.sample('breakerState', { upstream: 'web', route: '*' })).toBe(0)
})

test('retry: the budget bounds retries as a share of requests', async (t) => {
  const { clock, upstream, proxy, url } = await withRetries(t, [BUSY], {
    timeout: { total: '25s' },
    retry: { attempts: 2, budget: { ratio: 0.2, minPerSecond: 0, window: '10s' } },
  })
  for (let i = 0; i < 4; i += 1) await ask(url)
  expect(upstream.arrivals).toHaveLength(4)
  const fifth = ask(url)
  await clock.elapse(2_000)
  await fifth
  expect(upstream.arrivals).toHaveLength(6)
  await ask(url)
  expect(upstream.arrivals).toHaveLength(7)
  expect(await proxy.sample('retriesDenied', { upstream: 'web', route: '*', why: 'budget' })).toBe(5)
})

test('retry: a stale pooled connection does not count as an attempt and causes no back-off', async (t) => {
  const dieOnReuse: Scene = (request) => void request.socket.resetAndDestroy()
  const { upstream, proxy, url } = await withRetries(t, [{ body: 'first' }, dieOnReuse, { body: 'second' }])
  await ask(url)
  const answer = await ask(url)
  expect([answer.status, answer.body.toString(), answer.headers['x-breakwater-attempts']]).toEqual([
    200,
    'second',
    undefined,
  ])
  expect(upstream.connections()).toBe(2)
  expect(await proxy.sample('staleConnections', { upstream: 'web' })).toBe(1)
})

test('retry: a POST on a pooled connection that dies is not sent twice', async (t) => {
  const dieOnReuse: Scene = (request) => void request.socket.resetAndDestroy()
  const { upstream, url } = await withRetries(t, [{ body: 'first' }, dieOnReuse, { body: 'never' }])
  await ask(url)
  const answer = await ask(url, { method: 'POST', body: 'x' })
  expect([answer.status, upstream.arrivals.length]).toEqual([502, 2])
})

test('retry: a 409 for an Idempotency-Key whose first attempt was given up is not the answer', async (t) => {
  const { clock, upstream, url } = await withSidecar(t, ['reset', { status: 409 }, { status: 201, body: 'made' }])
  const answer = ask(url, { method: 'POST', body: '{}', headers: { 'idempotency-key': 'a' } })
  await clock.elapse(2_000)
  await clock.elapse(4_000)
  expect((await answer).status).toBe(201)
  expect(upstream.arrivals).toHaveLength(3)
})

test('retry: a 409 is the answer where no key says what it is about', async (t) => {
  const { clock, upstream, url } = await withSidecar(t, ['reset', { status: 409 }])
  const answer = ask(url, { method: 'PUT', body: '{}' })
  await clock.elapse(2_000)
  expect((await answer).status).toBe(409)
  expect(upstream.arrivals).toHaveLength(2)
})

test('retry: a 409 is the answer where no attempt was given up before it', async (t) => {
  const { url } = await withSidecar(t, [{ status: 409 }])
  const options = { method: 'POST', body: '{}', headers: { 'idempotency-key': 'a' } }
  expect((await ask(url, options)).status).toBe(409)
})
