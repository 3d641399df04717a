import { expect, test } from 'vitest'
import { ask, problemOf } from '../../support/client.ts'
import { fakeClock } from '../../support/fake-clock.ts'
import { metric } from '../../support/metric.ts'
import { startProxy } from '../../support/proxy.ts'
import { type Scene, type Scope, scriptedUpstream } from '../../support/scripted-upstream.ts'
import { seeded } from '../../support/virtual.ts'

/** Answers with the endpoint's name as the body. */
const named = (name: string): Scene => ({ body: name })

/** One endpoint for each list of scenes. `random` is 0: each draw picks the first of the remaining endpoints. */
async function withEndpoints(t: Scope, scenes: readonly (readonly Scene[])[], settings: object = {}, random = () => 0) {
  const clock = fakeClock()
  const endpoints = await Promise.all(scenes.map((one) => scriptedUpstream(t, clock, one)))
  const proxy = await startProxy(t, {
    clock,
    random,
    upstreams: {
      web: {
        urls: endpoints.map(({ origin }) => origin),
        listen: '127.0.0.1:0',
        retry: { attempts: 3, backoff: { jitter: 0 } },
        breaker: { consecutiveFailures: 2, openFor: '10s' },
        balance: { slowStart: '0ms' },
        ...settings,
      },
    },
  })
  const counts = () => endpoints.map(({ arrivals }) => arrivals.length)
  return { clock, endpoints, proxy, counts, url: proxy.own('web') }
}

test('endpoints: a retry goes to an untried endpoint at once, and backs off once all are tried', async (t) => {
  const { clock, proxy, counts, url } = await withEndpoints(t, [[{ status: 503 }], [{ status: 503 }], [named('c')]])
  const { body, headers } = await ask(url)
  expect([body.toString(), headers['x-breakwater-attempts'], clock.now()]).toEqual(['c', '3', 0])
  expect(counts()).toEqual([1, 1, 1])
  const line = await proxy.logged(({ msg }) => msg === 'request')
  expect(line).toMatchObject({
    attempts: 3,
    backoff_ms: 0,
    history: [{ outcome: '503' }, { outcome: '503' }, { outcome: '200' }],
  })
  expect(new Set((line.history as { endpoint: string }[]).map(({ endpoint }) => endpoint)).size).toBe(3)

  const all = await withEndpoints(t, [[{ status: 503 }, named('a')], [{ status: 503 }]])
  const answer = ask(all.url)
  await all.clock.elapse(2_000)
  expect((await answer).headers['x-breakwater-attempts']).toBe('3')
})

test('endpoints: after a refused connection even a POST goes to another endpoint', async (t) => {
  const { endpoints, url } = await withEndpoints(t, [[], [{ status: 201 }]])
  await endpoints[0]?.close()
  const { status, headers } = await ask(url, { method: 'POST', body: 'once' })
  expect([status, headers['x-breakwater-attempts']]).toEqual([201, '2'])
  expect(endpoints[1]?.arrivals[0]?.body.toString()).toBe('once')
})

test('endpoints: each endpoint has its own breaker; an open one gets no request until its probe', async (t) => {
  const { clock, endpoints, proxy, counts, url } = await withEndpoints(t, [
    [{ status: 503 }, { status: 503 }, named('a')],
    [named('b')],
  ])
  const body = async () => (await ask(url)).body.toString()
  expect(await body()).toBe('b')
  // A failed endpoint is chosen less, until its failure has faded.
  expect([await body(), counts()]).toEqual(['b', [1, 2]])
  await clock.advance(30_000)
  expect([await body(), counts()]).toEqual(['b', [2, 3]])
  const origin = endpoints[0]?.origin ?? ''
  expect(await proxy.logged(({ msg }) => msg === 'breaker open')).toMatchObject({ upstream: 'web', endpoint: origin })
  await clock.advance(9_999)
  expect([await body(), counts()]).toEqual(['b', [2, 4]])
  expect([
    await proxy.sample('endpoints', { upstream: 'web' }),
    await proxy.sample('endpointsAvailable', { upstream: 'web' }),
  ]).toEqual([2, 1])
  expect(await proxy.sample('endpointState', { upstream: 'web', route: '*', endpoint: `${origin}` })).toBe(2)
  // The upstream's breaker is closed while one of its endpoints is available.
  expect(await proxy.sample('breakerState', { upstream: 'web', route: '*' })).toBe(0)
  await clock.advance(30_000)
  expect([await body(), counts()]).toEqual(['a', [3, 4]])
  expect(await proxy.sample('endpointsAvailable', { upstream: 'web' })).toBe(2)
})

test('endpoints: with all breakers open a 503 has the seconds until the first probe', async (t) => {
  const { clock, proxy, counts, url } = await withEndpoints(t, [[{ status: 503 }], [{ status: 503 }]], {
    breaker: { consecutiveFailures: 1, openFor: '10s' },
    retry: { attempts: 1 },
  })
  expect((await ask(url)).status).toBe(503)
  await clock.advance(4_000)
  expect((await ask(url)).status).toBe(503)
  const refused = await ask(url)
  expect(problemOf(refused)).toMatchObject({ type: 'urn:breakwater:breaker_open', retry_after_s: 6, attempts: 0 })
  expect(counts()).toEqual([1, 1])
  expect([
    await proxy.sample('endpointsAvailable', { upstream: 'web' }),
    await proxy.sample('breakerState', { upstream: 'web', route: '*' }),
  ]).toEqual([0, 2])
})

test("endpoints: a route's own breaker exists for each endpoint", async (t) => {
  const { clock, counts, url } = await withEndpoints(t, [[{ status: 503 }], [{ status: 503 }]], {
    retry: { attempts: 1 },
    routes: [{ match: 'GET /own', breaker: { consecutiveFailures: 1 } }],
  })
  await ask(`${url}/own`)
  await ask(`${url}/own`)
  expect(problemOf(await ask(`${url}/own`)).type).toBe('urn:breakwater:breaker_open')
  expect(counts()).toEqual([1, 1])
  expect((await ask(`${url}/other`)).headers['content-type']).not.toBe('application/problem+json')
  expect(clock.now()).toBe(0)
})

test('endpoints: the one with fewer requests in flight, or the faster one, is chosen', async (t) => {
  const { clock, endpoints, url } = await withEndpoints(t, [['hang', named('a')], [named('b')]])
  const hanging = ask(url, { headers: { 'x-request-timeout': '9' } })
  await endpoints[0]?.arrival(1)
  for (let i = 0; i < 3; i += 1) expect((await ask(url)).body.toString()).toBe('b')
  await clock.advance(9_000)
  await hanging

  const slow: Scene = (_, response) => void slowClock.after(100, () => response.end('slow'))
  const later = await withEndpoints(t, [[slow], [named('fast')]])
  const slowClock = later.clock
  const first = ask(later.url)
  await later.clock.elapse(100)
  expect((await first).body.toString()).toBe('slow')
  for (let i = 0; i < 5; i += 1) expect((await ask(later.url)).body.toString()).toBe('fast')
  // Measured latencies fade: after 120 s the slow endpoint is chosen again.
  await later.clock.advance(120_000)
  const again = ask(later.url)
  await later.clock.elapse(100)
  expect((await again).body.toString()).toBe('slow')
})

test('endpoints: connections.max applies to each endpoint', async (t) => {
  const { endpoints, proxy, url } = await withEndpoints(t, [['hang'], ['hang']], { connections: { max: 1 } })
  const calls = [ask(url), ask(url), ask(url)].map((call) => call.catch(() => undefined))
  await Promise.all(endpoints.map((endpoint) => endpoint.arrival(1)))
  const metrics = await proxy.metrics()
  expect(metrics.get(metric('connections', { upstream: 'web' }))).toBe(2)
  expect(metrics.get(metric('queued', { upstream: 'web' }))).toBe(1)
  for (const { origin } of endpoints) {
    const name = metric('endpointInFlight', { upstream: 'web', endpoint: origin })
    expect(metrics.get(name)).toBeGreaterThanOrEqual(1)
  }
  await proxy.app.close()
  await Promise.all(calls)
})

test("endpoints: a Location at any endpoint is rewritten to the listener's address", async (t) => {
  const clock = fakeClock()
  const b = await scriptedUpstream(t, clock, [{}])
  const to = (location: string): Scene => ({ status: 302, headers: { location } })
  const a = await scriptedUpstream(t, clock, [to(`${b.origin}/there?x`), to('http://localhost:1/there?x')])
  const urls = [a.origin, b.origin]
  const proxy = await startProxy(t, { clock, random: () => 0, upstreams: { web: { urls, listen: '127.0.0.1:0' } } })
  expect((await ask(proxy.own('web'))).headers.location).toBe(`${proxy.own('web')}/there?x`)
  expect((await ask(proxy.own('web'))).headers.location).toBe('http://localhost:1/there?x')
})

test('endpoints: /health counts the healthy ones; a 200 at health.path half-opens that breaker early', async (t) => {
  const health: Scene = (request, response) => {
    response.statusCode = request.url === '/health' ? 200 : 503
    response.end()
  }
  const { clock, endpoints, proxy, url } = await withEndpoints(t, [[health], ['reset'], [named('c')]], {
    health: { path: '/health', interval: '5s' },
    breaker: { consecutiveFailures: 1, openFor: '1h', openForMax: '1h' },
  })
  const report = JSON.parse((await ask(`${proxy.controlUrl}/health`)).body.toString())
  expect(report.checks.web).toMatchObject({ healthy: true })
  expect(report.checks.web.details).toMatch(/^2 of 3 endpoints; http:\/\/127\.0\.0\.1:\d+: ECONNRESET$/)
  expect((await ask(url)).body.toString()).toBe('c')
  expect(await proxy.sample('endpointsAvailable', { upstream: 'web' })).toBe(1)
  const state = (i: number) =>
    proxy.sample('endpointState', { upstream: 'web', route: '*', endpoint: `${endpoints[i]?.origin}` })
  await clock.elapse(5_000)
  await expect.poll(() => state(0)).toBe(1)
  expect(await state(1)).toBe(2)
})

test('endpoints: a queued request moves to another endpoint when its breaker is forced open', async (t) => {
  const gates: (() => void)[] = []
  const held: Scene = (_, response) => void gates.push(() => response.end('held'))
  const { endpoints, proxy, counts, url } = await withEndpoints(
    t,
    [
      [held, named('a')],
      [held, named('b')],
    ],
    {
      connections: { max: 1 },
    },
  )
  const calls = [ask(url), ask(url)]
  await Promise.all(endpoints.map((endpoint) => endpoint.arrival(1)))
  const waiting = ask(url)
  const inFlight = (endpoint: string) => metric('endpointInFlight', { upstream: 'web', endpoint })
  const busiest = async () => {
    const samples = await proxy.metrics()
    return endpoints.findIndex(({ origin }) => samples.get(inFlight(origin)) === 2)
  }
  await expect.poll(busiest).not.toBe(-1)
  const shut = await busiest()
  const body = JSON.stringify({ mode: 'forced-open', endpoint: endpoints[shut]?.origin })
  await ask(`${proxy.controlUrl}/v1/upstreams/web/breaker`, { method: 'PUT', body })
  for (const open of gates) open()
  expect((await waiting).body.toString()).toBe(shut === 0 ? 'b' : 'a')
  expect(counts()[shut]).toBe(1)
  await Promise.all(calls)
})

test('endpoints: one that refuses connections is called again after 1 s, and then after 2 s', async (t) => {
  const { clock, endpoints, url } = await withEndpoints(t, [[], [{ status: 404 }]], {
    breaker: { consecutiveFailures: 100, failureRate: false },
  })
  await endpoints[0]?.close()
  // A 404 weighs on the other endpoint as much as the refusal does on the first: by load alone the choice would go to and fro.
  const calledTwice = async () => {
    let count = 0
    for (let i = 0; i < 6; i += 1) if ((await ask(url)).headers['x-breakwater-attempts'] === '2') count += 1
    return count
  }
  expect(await calledTwice()).toBe(1)
  await clock.advance(999)
  expect(await calledTwice()).toBe(0)
  await clock.advance(1)
  expect(await calledTwice()).toBe(1)
  await clock.advance(1_999)
  expect(await calledTwice()).toBe(0)
  await clock.advance(1)
  expect(await calledTwice()).toBe(1)
})

test('endpoints: one that a reload adds starts slowly; at the start none does', async (t) => {
  const slow = { balance: { slowStart: '30s' } }
  const { clock, endpoints, proxy, counts, url } = await withEndpoints(t, [[named('a')], [named('b')]], slow, seeded(8))
  const added = await scriptedUpstream(t, clock, [named('c')])
  for (let i = 0; i < 20; i += 1) await ask(url)
  expect(Math.min(...counts())).toBeGreaterThan(4)
  const urls = [...endpoints, added].map(({ origin }) => origin)
  const reloaded = await proxy.reload({ upstreams: { web: { urls, listen: '127.0.0.1:0', ...slow } } })
  expect(reloaded.status).toBe(200)
  for (let i = 0; i < 20; i += 1) await ask(proxy.own('web'))
  const early = added.arrivals.length
  expect(early).toBeLessThan(2)
  await clock.advance(60_000)
  for (let i = 0; i < 20; i += 1) await ask(proxy.own('web'))
  expect(added.arrivals.length - early).toBeGreaterThan(3)
})
