/** Two policies on one request: each keeps its guarantees beside the other. */

import { expect, test } from 'vitest'
import { LONG_OPEN } from '../support/breaker.ts'
import { ask, problemOf } from '../support/client.ts'
import { type FakeClock, fakeClock } from '../support/fake-clock.ts'
import { startProxy } from '../support/proxy.ts'
import { type Scene, type Scope, scriptedUpstream } from '../support/scripted-upstream.ts'
import { withSidecar } from '../support/sidecar.ts'

const withPair = (t: Scope, scenes: (clock: FakeClock) => readonly Scene[], route: object, settings: object = {}) =>
  withSidecar(t, scenes, {
    web: { retry: { attempts: 3 }, routes: [{ match: 'GET /jobs/{id}', ...route }], ...settings },
    path: '/jobs',
  })

const report = (status: string): Scene => ({
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ status }),
})
const HOLD = { json: '/status', in: ['queued'], upTo: '20s', every: '2s' }
const FAILED = { json: '/status', in: ['failed'], oncePer: 'id' }
const at = ({ arrivals }: { arrivals: readonly { at: number }[] }) => arrivals.map((one) => one.at)

test('hold and failureWhen: a job that fails while held counts once and opens the breaker', async (t) => {
  const settings = { breaker: { ...LONG_OPEN, consecutiveFailures: 1 } }
  const route = { hold: HOLD, failureWhen: FAILED }
  const { clock, upstream, url } = await withPair(t, () => [report('queued'), report('failed')], route, settings)
  const both = [ask(`${url}/1`), ask(`${url}/1`)]
  await upstream.arrival(1)
  await clock.elapse(2_000)
  for (const { body } of await Promise.all(both)) expect(JSON.parse(body.toString())).toEqual({ status: 'failed' })
  expect(problemOf(await ask(`${url}/2`))).toMatchObject({ type: 'urn:breakwater:breaker_open', retry_after_s: 63 })
  expect(at(upstream)).toEqual([0, 2_000])
})

test('hold and rate: polls are paced; without a turn in time the newest answer is relayed', async (t) => {
  const settings = { rate: { requests: 2, per: '60s', burst: 2 } }
  // No other timer of the sidecar has this length.
  const hold = { ...HOLD, every: '3s' }
  const { clock, upstream, url } = await withPair(t, () => [report('queued')], { hold }, settings)
  // A quiet window, after which there is a burst. At no multiple of the intervals of the sidecar's own timers.
  await clock.advance(60_001)
  const answer = ask(`${url}/1`)
  await clock.elapse(3_000)
  await clock.armed(3_000)
  await clock.advance(17_000)
  expect(JSON.parse((await answer).body.toString())).toEqual({ status: 'queued' })
  expect(at(upstream)).toEqual([60_001, 63_001])
})

test('hold and retry: a poll that fails is retried within the hold', async (t) => {
  const scenes = () => [report('queued'), { status: 503 }, report('completed')]
  const { clock, upstream, url } = await withPair(t, scenes, { hold: HOLD })
  const answer = ask(`${url}/1`)
  await clock.elapse(2_000)
  await clock.elapse(2_000)
  const { headers, body } = await answer
  expect([headers['x-breakwater-attempts'], body.toString()]).toEqual(['3', '{"status":"completed"}'])
  expect(at(upstream)).toEqual([0, 2_000, 4_000])
})

test('hold and hedge: a slow poll is hedged', async (t) => {
  const scenes = () => [report('queued'), 'hang' as const, report('completed')]
  const { clock, upstream, url } = await withPair(t, scenes, { hold: HOLD, hedge: { after: '500ms', max: 1 } })
  const answer = ask(`${url}/1`)
  await clock.elapse(2_000)
  await upstream.arrival(2)
  await clock.elapse(500)
  expect((await answer).body.toString()).toBe('{"status":"completed"}')
})

test('observed timeout and retry: an attempt that exceeds the observed timeout is retried', async (t) => {
  const served =
    (clock: FakeClock): Scene =>
    (_, response) =>
      void clock.after(100, () => response.end('ok'))
  const scenes = (clock: FakeClock) => [...Array<Scene>(22).fill(served(clock)), 'hang' as const, { body: 'again' }]
  const timeout = { attempt: { observed: 'p99', times: 2, min: '50ms', max: '12s' }, total: '25s' }
  const { clock, upstream, url } = await withPair(t, scenes, { timeout })
  for (let n = 1; n <= 22; n += 1) {
    const answer = ask(`${url}/1`)
    await upstream.arrival(n)
    await clock.elapse(100)
    await answer
  }
  const answer = ask(`${url}/1`)
  await upstream.arrival(23)
  const [limit = 0] = clock.pending().filter((ms) => ms >= 200 && ms < 220)
  await clock.elapse(limit)
  await clock.elapse(2_000)
  const { headers, body } = await answer
  expect([headers['x-breakwater-attempts'], body.toString()]).toEqual(['2', 'again'])
})

test('hedge and rate: the hedge takes its turn as well', async (t) => {
  const settings = { rate: { requests: 1, per: '10s', queueTimeout: '20s' } }
  const hedge = { after: '500ms', max: 1 }
  const { clock, upstream, url } = await withPair(t, () => ['hang', { body: 'hedged' }], { hedge }, settings)
  const answer = ask(`${url}/1`)
  await upstream.arrival(1)
  await clock.elapse(500)
  await clock.elapse(9_500)
  expect((await answer).body.toString()).toBe('hedged')
  expect(at(upstream)).toEqual([0, 10_000])
})

test('collapse and rate: a shared call counts once towards the rate', async (t) => {
  const gate: { open?: () => void } = {}
  const scene: Scene = (_, response) => {
    gate.open = () => void response.end('one')
  }
  const settings = { rate: { requests: 1, per: '60s' } }
  const { proxy, upstream, url } = await withPair(t, () => [scene], { collapse: true }, settings)
  const calls = Array.from({ length: 5 }, () => ask(`${url}/1`))
  await expect.poll(() => proxy.log.filter(({ msg }) => msg === 'shared').length).toBe(4)
  await upstream.arrival(1)
  gate.open?.()
  expect((await Promise.all(calls)).map(({ body }) => body.toString())).toEqual(Array(5).fill('one'))
  expect(problemOf(await ask(`${url}/1`)).type).toBe('urn:breakwater:rate')
})

test('several endpoints and failureWhen: jobs that fail at one endpoint open its breaker alone', async (t) => {
  const clock = fakeClock()
  const bad = await scriptedUpstream(t, clock, [report('failed')])
  const good = await scriptedUpstream(t, clock, [report('completed')])
  const proxy = await startProxy(t, {
    clock,
    random: () => 0,
    upstreams: {
      web: {
        urls: [bad.origin, good.origin],
        listen: '127.0.0.1:0',
        breaker: { consecutiveFailures: 2 },
        routes: [{ match: 'GET /jobs/{id}', failureWhen: FAILED }],
      },
    },
  })
  for (let i = 0; i < 5; i += 1) await ask(`${proxy.own('web')}/jobs/${i}`)
  expect([bad.arrivals.length, good.arrivals.length]).toEqual([2, 3])
})

test('adaptive limit and retry: overload lowers the limit, and a request that backs off holds no slot', async (t) => {
  const settings = {
    concurrency: { adaptive: true, max: 40 },
    breaker: { consecutiveFailures: 1000, failureRate: false },
    retry: { attempts: 3, budget: { minPerSecond: 1_000 } },
    connections: { max: 40 },
  }
  const { clock, upstream, proxy, url } = await withPair(t, () => [{ status: 429 }], {}, settings)
  expect(await proxy.sample('concurrencyLimit', { upstream: 'web' })).toBe(20)
  for (const sent of [15, 60]) {
    const answers = Array.from({ length: 15 }, (_, i) => ask(`${url}/${i}`))
    await upstream.arrival(sent)
    await clock.armed(2_000)
    await expect.poll(() => clock.pending().filter((ms) => ms === 2_000).length).toBe(15)
    expect(await proxy.sample('inFlight', { upstream: 'web' })).toBe(0)
    await clock.advance(2_000)
    await expect.poll(() => clock.pending().filter((ms) => ms === 4_000).length).toBe(15)
    await clock.advance(4_000)
    for (const { headers } of await Promise.all(answers)) expect(headers['x-breakwater-attempts']).toBe('3')
  }
  // Of 90 attempts the first 40 measure the unloaded latency; the next 40 lower the limit from 20 to 18.
  expect(await proxy.sample('concurrencyLimit', { upstream: 'web' })).toBe(18)
  expect(await proxy.sample('inFlight', { upstream: 'web' })).toBe(0)
})
