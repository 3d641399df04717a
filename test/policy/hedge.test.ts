import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ask, openRaw, problemOf } from '../support/client.ts'
import { VirtualClock } from '../../src/simulate/virtual-clock.ts'
import { type FakeClock, fakeClock } from '../support/fake-clock.ts'
import { metric } from '../support/metric.ts'
import { startProxy } from '../support/proxy.ts'
import { type Scene, type Scope, scriptedUpstream } from '../support/scripted-upstream.ts'
import { withSidecar } from '../support/sidecar.ts'
import { answer, type Service, seeded, virtualSidecar } from '../support/virtual.ts'

/** Answers after so many ms of the sidecar's time. */
const after =
  (clock: FakeClock, ms: number, body: string, status = 200): Scene =>
  (request, response) =>
    void request.on('end', () => clock.after(ms, () => response.writeHead(status).end(body))).resume()

async function withHedge(
  t: Scope,
  scenes: (clock: FakeClock) => readonly Scene[],
  hedge: object,
  settings: object = {},
) {
  const fixture = await withSidecar(t, scenes, {
    web: {
      breaker: { consecutiveFailures: 1 },
      retry: { attempts: 1 },
      routes: [{ match: '* /x', hedge }],
      ...settings,
    },
    path: '/x',
  })
  const hedges = async (outcome: string) =>
    (await fixture.proxy.sample('hedges', { upstream: 'web', route: '* /x', outcome })) ?? 0
  return { ...fixture, hedges }
}

const ONCE = { after: '250ms', max: 1 }

test('hedge: a slow attempt is hedged; the faster answer wins, the other is aborted', async (t) => {
  const { clock, upstream, proxy, hedges, url } = await withHedge(t, () => ['hang', { body: 'fast' }], ONCE)
  const answer = ask(url)
  await upstream.arrival(1)
  await clock.elapse(250)
  const { status, body, headers } = await answer
  expect([status, body.toString(), headers['x-breakwater-attempts']]).toEqual([200, 'fast', '2'])
  await upstream.gone(1)
  expect(await hedges('won')).toBe(1)
  // The aborted attempt does not count as a failure.
  const metrics = await proxy.metrics()
  expect(metrics.get(metric('breakerState', { upstream: 'web', route: '*' }))).toBe(0)
  expect(metrics.get(metric('attempts', { upstream: 'web', route: '* /x', outcome: 'hedge_lost' }))).toBe(1)
  expect(await proxy.logged(({ msg }) => msg === 'request')).toMatchObject({
    attempts: 2,
    history: [
      { outcome: '200', at_ms: 250 },
      { outcome: 'hedge_lost', at_ms: 0, ms: 250 },
    ],
  })
})

test('hedge: the first attempt wins if it answers before the hedge', async (t) => {
  const scenes = (clock: FakeClock) => [after(clock, 300, 'first'), after(clock, 300, 'second')]
  const { clock, upstream, hedges, url } = await withHedge(t, scenes, ONCE)
  const answer = ask(url)
  await upstream.arrival(1)
  await clock.elapse(250)
  await upstream.arrival(2)
  await clock.elapse(50)
  expect((await answer).body.toString()).toBe('first')
  await upstream.gone(2)
  expect(await hedges('lost')).toBe(1)
})

test('hedge: an attempt that is answered in time is not hedged', async (t) => {
  const scenes = (clock: FakeClock) => [after(clock, 249, 'in time')]
  const { clock, upstream, url } = await withHedge(t, scenes, ONCE)
  const answer = ask(url)
  await upstream.arrival(1)
  await clock.elapse(249)
  await answer
  await clock.advance(60_000)
  expect(upstream.arrivals).toHaveLength(1)
})

test('hedge: waits for the observed p95, once there are enough samples', async (t) => {
  const scenes = (clock: FakeClock) => [...Array(21).fill(after(clock, 100, 'ok')), 'hang', { body: 'hedged' }]
  const { clock, upstream, url } = await withHedge(t, scenes, { after: 'p95', max: 1 })
  for (let n = 1; n <= 21; n += 1) {
    const answer = ask(url)
    await upstream.arrival(n)
    await clock.elapse(100)
    await answer
  }
  expect(upstream.arrivals).toHaveLength(21)
  const answer = ask(url)
  await upstream.arrival(22)
  const [wait = 0] = clock.pending().filter((ms) => ms < 200)
  expect(wait).toBeGreaterThanOrEqual(100)
  expect(wait).toBeLessThan(105.1)
  await clock.elapse(wait)
  expect((await answer).body.toString()).toBe('hedged')
})

test('hedge: a request gets at most max hedges, and none if it may not be retried', async (t) => {
  const { clock, upstream, url } = await withHedge(t, () => ['hang'], { after: '250ms', max: 2 })
  const answer = ask(url, { headers: { 'x-request-timeout': '5' } })
  await upstream.arrival(1)
  await clock.elapse(250)
  await upstream.arrival(2)
  await clock.elapse(250)
  await upstream.arrival(3)
  await clock.advance(5_000)
  expect(problemOf(await answer)).toMatchObject({ type: 'urn:breakwater:client_deadline', attempts: 3 })
  const post = ask(url, { method: 'POST', body: 'x', headers: { 'x-request-timeout': '5' } })
  await upstream.arrival(4)
  await clock.advance(5_000)
  await post
  expect(upstream.arrivals).toHaveLength(4)
})

test('hedge: each hedge takes from the retry budget', async (t) => {
  const budget = { ratio: 0, minPerSecond: 0.1, window: '10s' }
  const { clock, upstream, hedges, url } = await withHedge(
    t,
    () => ['hang'],
    { after: '250ms', max: 3 },
    { retry: { attempts: 1, budget } },
  )
  const answer = ask(url, { headers: { 'x-request-timeout': '5' } })
  await upstream.arrival(1)
  await clock.elapse(250)
  await upstream.arrival(2)
  await clock.elapse(250)
  expect(await hedges('denied')).toBe(1)
  await clock.advance(5_000)
  await answer
  expect(upstream.arrivals).toHaveLength(2)
})

test('hedge: after a failed hedge the first attempt goes on; if both fail, the 503 is relayed', async (t) => {
  const scenes = (clock: FakeClock) => [after(clock, 400, 'late but well'), { status: 503, body: 'no' }]
  const { clock, upstream, url } = await withHedge(t, scenes, ONCE, { breaker: { consecutiveFailures: 9 } })
  const answer = ask(url)
  await upstream.arrival(1)
  await clock.elapse(250)
  await upstream.arrival(2)
  await clock.elapse(150)
  expect((await answer).body.toString()).toBe('late but well')

  const failing = (clock: FakeClock): Scene[] => [
    (_, response) => void clock.after(400, () => response.socket?.resetAndDestroy()),
    { status: 503, body: 'no' },
  ]
  const both = await withHedge(t, failing, ONCE, { breaker: { consecutiveFailures: 9 } })
  const failed = ask(both.url)
  await both.upstream.arrival(1)
  await both.clock.elapse(250)
  await both.upstream.arrival(2)
  await both.clock.elapse(150)
  expect(await failed).toMatchObject({ status: 503, body: Buffer.from('no') })
})

test('hedge: both attempts get the request body, byte for byte', async (t) => {
  const { clock, upstream, url } = await withHedge(t, () => ['hang', { body: 'fast' }], ONCE)
  const answer = ask(url, { method: 'PUT', body: 'the whole body' })
  await upstream.arrival(1)
  await clock.elapse(250)
  expect((await answer).body.toString()).toBe('fast')
  expect(upstream.arrivals.map(({ body }) => body.toString())).toEqual(['the whole body', 'the whole body'])
})

test('hedge: a client that leaves ends both attempts', async (t) => {
  const { clock, upstream, proxy, port } = await withHedge(t, () => ['hang'], ONCE)
  const raw = openRaw(port)
  raw.send('GET /x HTTP/1.1\r\nHost: x\r\n\r\n')
  await upstream.arrival(1)
  await clock.elapse(250)
  await upstream.arrival(2)
  raw.socket.destroy()
  await Promise.all([upstream.gone(1), upstream.gone(2)])
  expect(await proxy.sample('attempts', { upstream: 'web', route: '* /x', outcome: 'client_gone' })).toBe(2)
})

test('hedge: goes to another endpoint, and never to one with an open breaker', async (t) => {
  const clock = fakeClock()
  const a = await scriptedUpstream(t, clock, ['hang'])
  const b = await scriptedUpstream(t, clock, [{ body: 'b' }])
  const proxy = await startProxy(t, {
    clock,
    random: () => 0,
    upstreams: { web: { urls: [a.origin, b.origin], listen: '127.0.0.1:0', hedge: ONCE } },
  })
  const answer = ask(proxy.own('web'))
  await a.arrival(1)
  await clock.elapse(250)
  expect((await answer).body.toString()).toBe('b')

  const open = await withHedge(t, () => ['hang'], ONCE, {
    breaker: { consecutiveFailures: 9, slowCalls: { slowerThan: '200ms', minimumRequests: 1 } },
  })
  const slow = ask(open.url, { headers: { 'x-request-timeout': '3' } })
  await open.upstream.arrival(1)
  await open.clock.advance(3_000)
  expect(problemOf(await slow)).toMatchObject({ type: 'urn:breakwater:client_deadline', attempts: 1 })
  expect(open.upstream.arrivals).toHaveLength(1)
})

test('hedge and resume: a download whose hedge won is resumed', async (t) => {
  const head = { 'content-length': '10', 'accept-ranges': 'bytes', etag: '"v1"' }
  const scenes: Scene[] = [
    'hang',
    (_, response) => void response.writeHead(200, head).write('0123', () => response.socket?.destroy()),
    { status: 206, headers: { etag: '"v1"', 'content-range': 'bytes 4-9/10', 'content-length': '6' }, body: '456789' },
  ]
  const settings = {
    retry: { attempts: 3 },
    breaker: { consecutiveFailures: 9 },
    routes: [{ match: 'GET /x', resume: true, hedge: ONCE }],
  }
  const { clock, upstream, url } = await withHedge(t, () => scenes, ONCE, settings)
  const answer = ask(url)
  await upstream.arrival(1)
  await clock.elapse(250)
  await clock.elapse(2_000)
  expect((await answer).body.toString()).toBe('0123456789')
})

test('hedge: for any latencies the first good answer wins, with at most max hedges', async () => {
  const plan = fc.record({
    calls: fc.array(fc.record({ ms: fc.integer({ min: 1, max: 900 }), status: fc.constantFrom(200, 200, 503) }), {
      minLength: 1,
      maxLength: 12,
    }),
    max: fc.integer({ min: 1, max: 3 }),
    gap: fc.integer({ min: 10, max: 400 }),
  })
  await fc.assert(
    fc.asyncProperty(plan, async ({ calls, max, gap }) => {
      const clock = new VirtualClock(0)
      const made = new Map<string, { readonly endsAt: number; readonly status: number }[]>()
      let n = 0
      const service: Service = ({ id }) => {
        const { ms, status } = calls[n++ % calls.length] ?? { ms: 1, status: 200 }
        const all = made.get(id) ?? []
        made.set(id, [...all, { endsAt: clock.now() + ms, status }])
        return answer(status, ms)
      }
      const settings = {
        hedge: { after: '100ms', max },
        retry: { attempts: 1, budget: { minPerSecond: 1_000 } },
        breaker: { consecutiveFailures: 100_000, failureRate: false },
      }
      const { get } = virtualSidecar(clock, settings, { 'http://a': service }, seeded(1))
      const asked = new Map<string, Promise<{ outcome: number | string; ms: number; attempts: number }>>()
      const since = new Map<string, number>()
      for (let i = 1; i <= 20; i += 1) {
        since.set(String(i), clock.now())
        asked.set(String(i), get('/x'))
        await clock.advance(gap)
      }
      await clock.advance(10_000)
      for (const [id, answer] of asked) {
        const { outcome, ms, attempts } = await answer
        const all = made.get(id) ?? []
        expect(all.length).toBeLessThanOrEqual(1 + max)
        expect(attempts).toBe(all.length)
        const good = all.filter(({ status }) => status === 200).map(({ endsAt }) => endsAt)
        const begun = since.get(id) ?? 0
        if (good.length === 0) expect(outcome).toBe(503)
        else expect([outcome, begun + ms]).toEqual([200, Math.min(...good)])
      }
    }),
    { numRuns: 60 },
  )
})
