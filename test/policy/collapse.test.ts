import type { ServerResponse } from 'node:http'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ask, openRaw, problemOf } from '../support/client.ts'
import { metric } from '../support/metric.ts'
import type { Scene, Scope } from '../support/scripted-upstream.ts'
import { withSidecar } from '../support/sidecar.ts'

async function withCollapse(t: Scope, scenes: readonly Scene[], collapse: unknown = true, settings: object = {}) {
  const fixture = await withSidecar(t, scenes, {
    web: { routes: [{ match: '* /jobs', idempotent: true, collapse }], ...settings },
    path: '/jobs',
  })
  /** Resolves when `n` requests have joined another request's call. */
  const shared = (n: number) => logged(fixture.proxy.log, 'shared', n)
  return { ...fixture, shared }
}

const logged = (log: readonly { readonly msg?: string }[], msg: string, n: number) =>
  expect.poll(() => log.filter((line) => line.msg === msg).length).toBe(n)

/** A scene that collects its responses, so that the test decides when to answer. */
function gated() {
  const responses: ServerResponse[] = []
  const scene: Scene = (request, response) => void request.on('end', () => responses.push(response)).resume()
  return { responses, scene }
}

const JOB = { method: 'POST', body: '{"url":"u"}', headers: { 'content-type': 'application/json' } }

test('collapse: two equal requests make one call, and both get the whole response', async (t) => {
  const { responses, scene } = gated()
  const { upstream, proxy, url, shared } = await withCollapse(t, [scene])
  const calls = [ask(url, JOB), ask(url, { ...JOB, headers: { ...JOB.headers, 'x-request-id': 'another' } })]
  await shared(1)
  await upstream.arrival(1)
  responses[0]?.writeHead(201, { 'x-job': '7', 'content-type': 'application/json' }).end('{"id":7}')
  for (const { status, headers, body } of await Promise.all(calls)) {
    expect([status, headers['x-job'], body.toString()]).toEqual([201, '7', '{"id":7}'])
  }
  expect(upstream.arrivals.map(({ body }) => body.toString())).toEqual(['{"url":"u"}'])
  const metrics = await proxy.metrics()
  expect(metrics.get(metric('shared', { upstream: 'web', route: '* /jobs', by: 'collapse' }))).toBe(1)
  expect(metrics.get(metric('attempts', { upstream: 'web', route: '* /jobs', outcome: '2xx' }))).toBe(1)
})

test('collapse: a request after the response head makes a call of its own', async (t) => {
  const { upstream, url } = await withCollapse(t, [{ body: 'a' }, { body: 'b' }])
  expect((await ask(url, JOB)).body.toString()).toBe('a')
  expect((await ask(url, JOB)).body.toString()).toBe('b')
  expect(upstream.arrivals).toHaveLength(2)
})

test('collapse: a different body, method, target or credential is another call', async (t) => {
  const { responses, scene } = gated()
  const { upstream, url } = await withCollapse(t, [scene])
  const calls = [
    ask(url, JOB),
    ask(url, { ...JOB, body: '{"url":"v"}' }),
    ask(url, { ...JOB, method: 'PUT' }),
    ask(`${url}?x`, JOB),
    ask(url, { ...JOB, headers: { ...JOB.headers, 'x-api-key': 'mine' } }),
  ]
  await upstream.arrival(5)
  for (const response of responses) response.end()
  expect((await Promise.all(calls)).map(({ status }) => status)).toEqual(Array(5).fill(200))
})

test('collapse: only the headers listed in `headers` distinguish calls', async (t) => {
  const { responses, scene } = gated()
  const { upstream, url, shared } = await withCollapse(t, [scene], { headers: ['X-API-Key'] })
  const as = (key: string, agent: string) => ask(url, { headers: { 'x-api-key': key, accept: agent } })
  const calls = [as('a', '1'), as('a', '2'), as('b', '1')]
  await shared(1)
  await upstream.arrival(2)
  for (const response of responses) response.end()
  await Promise.all(calls)
  expect(upstream.arrivals).toHaveLength(2)
})

test('collapse: a shared call is retried once, and all clients get the result', async (t) => {
  const { responses, scene } = gated()
  const { clock, upstream, url, shared } = await withCollapse(t, [scene, { status: 201, body: 'made' }, 'reset'])
  const calls = [ask(url, JOB), ask(url, JOB), ask(url, JOB)]
  await shared(2)
  await upstream.arrival(1)
  responses[0]?.writeHead(503).end()
  await clock.elapse(2_000)
  for (const { status, headers } of await Promise.all(calls)) {
    expect([status, headers['x-breakwater-attempts']]).toEqual([201, '2'])
  }
  expect(upstream.arrivals.map(({ body }) => body.toString())).toEqual([JOB.body, JOB.body])
})

test('collapse: when the shared call fails, each client gets the fault', async (t) => {
  const { responses, scene } = gated()
  const { upstream, url, shared } = await withCollapse(t, [scene], true, { retry: { attempts: 1 } })
  const calls = [ask(url, JOB), ask(url, JOB)]
  await shared(1)
  await upstream.arrival(1)
  responses[0]?.socket?.resetAndDestroy()
  for (const answer of await Promise.all(calls)) expect(problemOf(answer)).toMatchObject({ attempts: 1, status: 502 })
})

test('collapse: the call goes on when one client leaves, and ends when the last one leaves', async (t) => {
  const { responses, scene } = gated()
  const { upstream, proxy, url, shared, port } = await withCollapse(t, [scene])
  const first = openRaw(port)
  first.send(`POST /jobs HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi`)
  await upstream.arrival(1)
  const second = ask(url, { method: 'POST', body: 'hi' })
  await shared(1)
  first.socket.destroy()
  await proxy.logged(({ reason }) => reason === 'client_gone')
  responses[0]?.end('for the second')
  expect((await second).body.toString()).toBe('for the second')

  const alone = openRaw(port)
  alone.send('GET /jobs HTTP/1.1\r\nHost: x\r\n\r\n')
  await upstream.begun(2)
  alone.socket.destroy()
  await upstream.gone(2)
})

test('collapse: each client waits no longer than its own deadline', async (t) => {
  const { responses, scene } = gated()
  const { clock, upstream, url, shared } = await withCollapse(t, [scene])
  const patient = ask(url, JOB)
  await upstream.arrival(1)
  const hasty = ask(url, { ...JOB, headers: { ...JOB.headers, 'x-request-timeout': '3' } })
  await shared(1)
  await clock.elapse(3_000)
  expect(problemOf(await hasty).type).toBe('urn:breakwater:client_deadline')
  responses[0]?.end('late')
  expect((await patient).body.toString()).toBe('late')
})

test('collapse: a client that leaves during its upload takes no place in the queue', async (t) => {
  const { clock, upstream, proxy, port } = await withCollapse(t, ['hang'], true, { concurrency: { max: 1, queue: 1 } })
  const first = openRaw(port)
  first.send('GET /jobs HTTP/1.1\r\nHost: x\r\n\r\n')
  await upstream.begun(1)
  await clock.advance(1_000)
  const leaver = openRaw(port)
  leaver.send('POST /jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf')
  await clock.armed(60_000)
  leaver.socket.destroy()
  await proxy.logged(({ reason }) => reason === 'client_gone')
  expect(await proxy.sample('queued', { upstream: 'web' })).toBe(0)
  first.socket.destroy()
})

test('collapse: a client that stalls its upload times out and delays no other', async (t) => {
  const { clock, url, port } = await withCollapse(t, [{ body: 'made' }])
  const stalled = openRaw(port)
  stalled.send('POST /jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf')
  await clock.armed(60_000)
  expect((await ask(url, { method: 'POST', body: 'whole one' })).body.toString()).toBe('made')
  await clock.elapse(60_000)
  expect(await stalled.until(/\r\n\r\n/)).toMatch(/^HTTP\/1.1 408 /)
})

test('collapse: a body over the memory buffer, or without a length, is not shared', async (t) => {
  const { responses, scene } = gated()
  const retry = { bodyBuffer: { memory: '10B' } }
  const { upstream, url } = await withCollapse(t, [scene], true, { retry })
  const large = { method: 'POST', body: 'x'.repeat(11) }
  const chunked = { method: 'POST', body: 'x', headers: { 'transfer-encoding': 'chunked' } }
  const calls = [ask(url, large), ask(url, large), ask(url, chunked), ask(url, chunked)]
  await upstream.arrival(4)
  for (const response of responses) response.end()
  await Promise.all(calls)
})

test('collapse: a body that breaks off breaks off for all', async (t) => {
  const { responses, scene } = gated()
  // With a second attempt the small body would be asked for again.
  const { upstream, url, shared } = await withCollapse(t, [scene], true, { retry: { attempts: 1 } })
  const calls = [ask(url), ask(url)]
  await shared(1)
  await upstream.arrival(1)
  const settled = Promise.allSettled(calls)
  responses[0]?.writeHead(200, { 'content-length': 100 }).write('half', () => responses[0]?.socket?.destroy())
  expect((await settled).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
})

test('collapse and resume: a body that breaks off is resumed for all', async (t) => {
  const head = { 'content-length': '10', 'accept-ranges': 'bytes', etag: '"v1"' }
  const rest = { 'content-range': 'bytes 4-9/10', 'content-length': '6', etag: '"v1"' }
  const { responses, scene } = gated()
  const { clock, upstream, url, shared } = await withCollapse(
    t,
    [scene, { status: 206, headers: rest, body: '456789' }],
    true,
    {
      routes: [{ match: 'GET /jobs', collapse: true, resume: true }],
    },
  )
  const calls = [ask(url), ask(url)]
  await shared(1)
  await upstream.arrival(1)
  responses[0]?.writeHead(200, head).write('0123', () => responses[0]?.socket?.resetAndDestroy())
  await clock.elapse(2_000)
  expect((await Promise.all(calls)).map(({ body }) => body.toString())).toEqual(['0123456789', '0123456789'])
  expect(upstream.arrivals[1]?.headers.range).toBe('bytes=4-')
})

test('collapse and hold: all clients share the polls', async (t) => {
  const report = (status: string): Scene => ({
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ status }),
  })
  const hold = { json: '/status', in: ['queued'], upTo: '20s', every: '2s' }
  const { clock, upstream, url, shared } = await withCollapse(t, [report('queued'), report('completed')], true, {
    routes: [{ match: 'GET /jobs', collapse: true, hold }],
  })
  const calls = [ask(url), ask(url)]
  await shared(1)
  await clock.elapse(2_000)
  for (const { body } of await Promise.all(calls)) expect(body.toString()).toBe('{"status":"completed"}')
  expect(upstream.arrivals).toHaveLength(2)
})

test('collapse: for any chunks and number of clients, each client gets every byte', {
  timeout: 60_000,
}, async () => {
  const plan = fc.record({
    parts: fc.array(fc.integer({ min: 1, max: 300_000 }), { maxLength: 8 }),
    declared: fc.boolean(),
    clients: fc.integer({ min: 1, max: 5 }),
  })
  await fc.assert(
    fc.asyncProperty(plan, async ({ parts, declared, clients }) => {
      const cleanUps: (() => unknown)[] = []
      const scope = { onTestFinished: (cleanUp: () => unknown) => cleanUps.push(cleanUp) }
      const { responses, scene } = gated()
      const { upstream, url, shared } = await withCollapse(scope, [scene])
      const chunks = parts.map((size, i) => Buffer.alloc(size, i + 1))
      const whole = Buffer.concat(chunks)
      const calls = Array.from({ length: clients }, () => ask(url))
      await shared(clients - 1)
      await upstream.arrival(1)
      const [response] = responses
      if (declared) response?.setHeader('content-length', whole.length)
      for (const chunk of chunks) response?.write(chunk)
      response?.end()
      for (const { body } of await Promise.all(calls)) expect(body.equals(whole)).toBe(true)
      expect(upstream.arrivals).toHaveLength(1)
      for (const cleanUp of cleanUps.reverse()) await cleanUp()
    }),
    { numRuns: 40 },
  )
})
