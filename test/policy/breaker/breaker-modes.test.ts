import { expect, test } from 'vitest'
import { LONG_OPEN } from '../../support/breaker.ts'
import { type Answer, ask, openRaw, problemOf } from '../../support/client.ts'
import { fakeClock } from '../../support/fake-clock.ts'
import { startProxy } from '../../support/proxy.ts'
import { type Scene, type Scope, scriptedUpstream } from '../../support/scripted-upstream.ts'
import { withSidecar } from '../../support/sidecar.ts'

const FAILS: Scene = { status: 503, headers: { connection: 'close' } }

async function withBreaker(t: Scope, scenes: readonly Scene[], settings: object = {}) {
  const fixture = await withSidecar(t, scenes, {
    web: {
      retry: { attempts: 1 },
      breaker: { consecutiveFailures: 2, openFor: '10s', patience: '0ms' },
      routes: [{ match: 'GET /own', breaker: { consecutiveFailures: 1 } }],
      ...settings,
    },
  })
  const { controlUrl } = fixture.proxy
  const put = (body: object, name = 'web') =>
    ask(`${controlUrl}/v1/upstreams/${name}/breaker`, { method: 'PUT', body: JSON.stringify(body) })
  const states = async () => {
    const { upstreams } = json(await ask(`${controlUrl}/v1/upstreams`))
    return upstreams[0].breakers.map(({ mode, state }: { mode: string; state: string }) => `${mode} ${state}`)
  }
  return { ...fixture, put, states }
}

const json = ({ body }: Answer) => JSON.parse(body.toString())

test('forced breaker: held open, it rejects all until an operator releases it', async (t) => {
  const { clock, upstream, proxy, put, states, url } = await withBreaker(t, [{ body: 'well' }])
  const { status, body } = await put({ mode: 'forced-open' })
  expect([status, JSON.parse(body.toString()).breakers[0]]).toMatchObject([200, { mode: 'forced-open', state: 'open' }])
  const refused = await ask(url)
  expect(problemOf(refused)).toMatchObject({ type: 'urn:breakwater:breaker_forced', status: 503, retry_after_s: 10 })
  await clock.advance(3_600_000)
  expect([(await ask(url)).status, upstream.arrivals.length]).toEqual([503, 0])
  expect(await proxy.sample('breakersForced', { upstream: 'web' })).toBe(2)
  expect(await proxy.logged(({ msg }) => msg === 'breaker mode set')).toMatchObject({
    mode: 'forced-open',
    level: 'warn',
  })
  await put({ mode: 'auto' })
  expect(await states()).toEqual(['auto closed', 'auto closed'])
  expect((await ask(url)).body.toString()).toBe('well')
})

test('forced breaker: held closed, it admits all and counts nothing; auto starts with no failures', async (t) => {
  const { upstream, put, states, url } = await withBreaker(t, [FAILS])
  await ask(url)
  await ask(url)
  expect(problemOf(await ask(url)).type).toBe('urn:breakwater:breaker_open')
  await put({ mode: 'forced-closed' })
  for (let i = 0; i < 5; i += 1) await ask(url)
  expect([await states(), upstream.arrivals.length]).toEqual([['forced-closed closed', 'forced-closed closed'], 7])
  await put({ mode: 'auto' })
  await ask(url)
  expect((await states())[0]).toBe('auto closed')
  await ask(url)
  expect((await states())[0]).toBe('auto open')
})

test('forced breaker: in observe mode it changes its state and rejects nothing', async (t) => {
  const scenes = [FAILS, FAILS, FAILS, FAILS, { body: 'well' }]
  const { clock, upstream, proxy, put, states, url } = await withBreaker(t, scenes)
  await put({ mode: 'observe' })
  for (let i = 0; i < 4; i += 1) await ask(url)
  expect([(await states())[0], upstream.arrivals.length]).toEqual(['observe open', 4])
  expect(await proxy.sample('breakerState', { upstream: 'web', route: '*' })).toBe(2)
  const told = () =>
    proxy.log.map(({ msg }) => msg).filter((msg) => /^breaker (open|half-open|closed)$/.test(msg ?? ''))
  expect(told()).toEqual(['breaker open'])
  // What a breaker of its own would have rejected decides nothing: it is half open when its time is up.
  await clock.advance(10_500)
  expect((await states())[0]).toBe('observe half-open')
  expect((await ask(url)).body.toString()).toBe('well')
  expect((await states())[0]).toBe('observe closed')
  expect(told()).toEqual(['breaker open', 'breaker half-open', 'breaker closed'])
})

test("forced breaker: a route's mode and the upstream's are separate; an unknown name is a 404", async (t) => {
  const { put, states } = await withBreaker(t, [{}])
  await put({ mode: 'forced-open', route: 'GET /own' })
  expect(await states()).toEqual(['auto closed', 'forced-open open'])
  await put({ mode: 'observe', route: null })
  expect(await states()).toEqual(['observe closed', 'forced-open open'])
  expect((await put({ mode: 'auto', route: 'GET /other' })).status).toBe(404)
  expect((await put({ mode: 'auto', endpoint: 'http://127.0.0.1:1' })).status).toBe(404)
  expect((await put({ mode: 'auto' }, 'other')).status).toBe(404)
  expect((await put({ mode: 'ajar' })).status).toBe(400)
})

test('forced breaker: forcing it open ends a back-off; the last response is relayed', async (t) => {
  const { clock, put, url } = await withBreaker(t, [FAILS], { retry: { attempts: 5 } })
  const answer = ask(url)
  await clock.armed(2_000)
  await put({ mode: 'forced-open' })
  expect([(await answer).status, clock.now()]).toEqual([503, 0])
})

test('forced breaker: a mode with an end and a reason says so, ends by itself, and both are logged', async (t) => {
  const { clock, upstream, proxy, put, states } = await withBreaker(t, [{ body: 'well' }])
  const order = { mode: 'forced-open', route: null, for: '30m', reason: 'index rebuilt', by: 'ada' }
  const { breakers } = json(await put(order))
  const said = {
    since: '2026-01-01T00:00:00.000Z',
    until: '2026-01-01T00:30:00.000Z',
    reason: 'index rebuilt',
    by: 'ada',
  }
  expect(breakers).toMatchObject([
    { mode: 'forced-open', forced: said },
    { mode: 'auto', forced: null },
  ])
  const { until, reason, by } = said
  expect(await proxy.logged(({ msg }) => msg === 'breaker mode set')).toMatchObject({ until, reason, by })
  await clock.advance(20 * 60_000)
  // A reload keeps the order and its end.
  const web = { url: upstream.origin, listen: '127.0.0.1:0', breaker: { consecutiveFailures: 9 } }
  await proxy.reload({ upstreams: { web } })
  await clock.advance(10 * 60_000 - 1)
  expect([await states(), (await ask(proxy.own('web'))).status]).toEqual([['forced-open open'], 503])
  await clock.advance(1)
  expect(await states()).toEqual(['auto closed'])
  expect(await proxy.logged(({ msg }) => msg === 'breaker mode ended')).toMatchObject({ upstream: 'web', mode: 'auto' })
  expect((await ask(proxy.own('web'))).body.toString()).toBe('well')
})

test('forced breaker: a later order replaces the end of an earlier one', async (t) => {
  const { clock, put, states } = await withBreaker(t, [{}], { routes: [] })
  await put({ mode: 'observe', until: '2026-01-01T01:10:00+01:00' })
  await put({ mode: 'forced-open' })
  await clock.advance(3_600_000)
  expect(await states()).toEqual(['forced-open open'])
  await put({ mode: 'forced-open', for: '10m' })
  await put({ mode: 'auto', reason: 'well again' })
  expect(clock.pending().filter((ms) => ms === 600_000)).toEqual([])
})

test('forced breaker: an order whose end makes no sense is a 400 that names the field', async (t) => {
  const { put, states } = await withBreaker(t, [{}], { routes: [] })
  const orders = [
    [{ mode: 'forced-open', for: '30' }, 'for'],
    [{ mode: 'forced-open', for: '0s' }, 'for'],
    [{ mode: 'forced-open', for: '8d' }, 'for'],
    [{ mode: 'forced-open', for: '1h', until: '2026-01-01T00:30:00Z' }, 'until'],
    [{ mode: 'forced-open', until: '2025-12-31T23:59:59Z' }, 'until'],
    [{ mode: 'forced-open', until: 'tomorrow' }, 'until'],
    [{ mode: 'auto', for: '1h' }, 'for'],
    [{ mode: 'forced-open', why: 'x' }, 'why'],
  ] as const
  for (const [order, field] of orders)
    expect([order, json(await put(order))]).toMatchObject([order, { status: 400, field }])
  expect(await states()).toEqual(['auto closed'])
})

test('forced breaker: a 200 at health.path does not change forced-open', async (t) => {
  const health: Scene = (request, response) => {
    response.statusCode = request.url === '/health' ? 200 : 503
    response.end()
  }
  const { clock, put, states, url } = await withBreaker(t, [health], { health: { path: '/health', interval: '5s' } })
  await put({ mode: 'forced-open' })
  await clock.advance(60_000)
  expect((await states())[0]).toBe('forced-open open')
  expect(problemOf(await ask(url)).type).toBe('urn:breakwater:breaker_forced')
})

test('GET /v1/upstreams: shows counts, latencies, last error; /v1/failures shows each attempt', async (t) => {
  const slow: Scene = (_, response) => void clock.after(200, () => response.end('ok'))
  const { clock, upstream, proxy, url } = await withBreaker(t, [slow, FAILS, FAILS], { retry: { attempts: 2 } })
  const first = ask(url)
  await upstream.arrival(1)
  await clock.elapse(200)
  await first
  const failing = ask(`${url}/x?secret`)
  await clock.elapse(2_000)
  expect((await failing).status).toBe(503)
  const [web] = json(await ask(`${proxy.controlUrl}/v1/upstreams`)).upstreams
  expect(web).toMatchObject({
    name: 'web',
    endpoints: [{ in_flight: 0, available: false }],
    requests: { total: 2, failed: 1 },
    attempts: { total: 3 },
    last_error: { route: '*', reason: null, status: 503 },
    limit: 64,
    slowdown: null,
  })
  expect(Math.abs(web.latency_ms.p50 - 200)).toBeLessThan(15)
  expect(Math.abs(web.latency_ms.p99 - 2_000)).toBeLessThan(150)
  const { failures } = json(await ask(`${proxy.controlUrl}/v1/failures`))
  expect(failures).toMatchObject([
    {
      path: '/x',
      status: 503,
      attempts: 2,
      total_ms: 2_000,
      history: [
        { at_ms: 0, ms: 0, outcome: '503', endpoint: null },
        { at_ms: 2_000, outcome: '503' },
      ],
    },
  ])
  expect(JSON.stringify(failures)).not.toContain('secret')
})

test("GET /v1/failures: rejections displace neither earlier failures nor other upstreams'", async (t) => {
  const clock = fakeClock()
  const { origin } = await scriptedUpstream(t, clock, [FAILS])
  const settings = { url: origin, retry: { attempts: 1 }, breaker: { ...LONG_OPEN, consecutiveFailures: 2 } }
  const proxy = await startProxy(t, { clock, upstreams: { other: settings, web: settings } })
  await ask(`${proxy.url}/other/x`)
  for (let i = 0; i < 250; i += 1) await ask(`${proxy.url}/web/x`)
  const { upstreams } = json(await ask(`${proxy.controlUrl}/v1/upstreams`))
  expect(upstreams.map(({ last_error }: { last_error: { status: number } }) => last_error.status)).toEqual([503, 503])
  const { failures } = json(await ask(`${proxy.controlUrl}/v1/failures`))
  expect(failures.slice(0, 100).map(({ reason }: { reason: string }) => reason)).toEqual(
    Array.from({ length: 100 }, () => 'breaker_open'),
  )
  expect(failures.slice(100).map(({ path }: { path: string }) => path)).toEqual(['/web/x', '/web/x', '/other/x'])
})

test('event stream: sends recent history, then each second and event, until the sidecar closes', async (t) => {
  const { clock, proxy, put, url } = await withBreaker(t, [{}])
  const port = Number(new URL(proxy.controlUrl).port)
  await ask(url)
  await clock.advance(2_500)
  const raw = openRaw(port)
  raw.send(`GET /v1/events HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`)
  const events = (text: string) =>
    [...text.matchAll(/event: (\w+)\ndata: (.*)\n\n/g)].map(([, name, data = '']) => ({ name, data: JSON.parse(data) }))
  const [history] = events(await raw.until(/event: history\ndata: .*\n\n/))
  expect(
    history?.data.samples.map(({ upstreams }: { upstreams: { web: { requests: number } } }) => upstreams.web.requests),
  ).toEqual([1, 0])
  await clock.elapse(1_000)
  const told = events(await raw.until(/event: sample\ndata: .*\n\n/)).at(-1)
  expect(told?.data.upstreams.web).toMatchObject({
    requests: 0,
    failed: 0,
    p99_ms: null,
    breaker: 'closed',
    retry_budget: 30,
  })
  await put({ mode: 'forced-open', route: null })
  const opened = events(await raw.until(/event: breaker\ndata: .*\n\n/)).at(-1)
  expect(opened?.data).toMatchObject({ upstream: 'web', route: null, from: 'closed', to: 'open', cause: 'forced' })
  const items = JSON.stringify({ stage: 'build', item_ids: ['a'], total_items: 2 })
  await ask(`${proxy.controlUrl}/v1/checkpoints/job-1/items`, { method: 'POST', body: items })
  const saved = events(await raw.until(/event: checkpoint\ndata: .*\n\n/)).at(-1)
  expect(saved?.data).toMatchObject({ job: 'job-1', stage: 'build', completed_items: 1, total_items: 2 })
  const late = openRaw(port)
  late.send(`GET /v1/events HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`)
  expect(events(await late.until(/event: history\ndata: .*\n\n/))[0]?.data.breakers).toEqual([opened?.data])
  await proxy.app.close()
  expect(await raw.ended).toBe('end')
})

test('event stream: its timer is set only while a reader is connected', async (t) => {
  const { clock, proxy, url } = await withBreaker(t, [{}])
  await ask(url)
  // The connection of that request is idle by now.
  await clock.advance(66_000)
  await expect.poll(() => proxy.sample('clientConnections', { listener: 'upstreams.web.listen' })).toBe(0)
  const before_ = clock.pending().length
  const port = Number(new URL(proxy.controlUrl).port)
  const raw = openRaw(port)
  raw.send(`GET /v1/events HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`)
  await raw.until(/history/)
  expect(clock.pending().length).toBe(before_ + 1)
  raw.socket.destroy()
  await expect.poll(() => clock.pending().length).toBe(before_)
})

test('GET /v1/jobs: lists the registered jobs, the newest first', async (t) => {
  const { proxy } = await withBreaker(t, [{}])
  for (const id of ['a', 'b', 'c']) await ask(`${proxy.controlUrl}/v1/jobs/${id}`, { method: 'PUT', body: '{}' })
  const { jobs, total } = json(await ask(`${proxy.controlUrl}/v1/jobs?limit=2`))
  expect([jobs.map(({ job_id }: { job_id: string }) => job_id), total]).toEqual([['c', 'b'], 3])
})

test('forced breaker: stays forced through a reload, which the event stream reports', async (t) => {
  const { upstream, proxy, put, states } = await withBreaker(t, [{}])
  await put({ mode: 'forced-open', route: null })
  const port = Number(new URL(proxy.controlUrl).port)
  const raw = openRaw(port)
  raw.send(`GET /v1/events HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`)
  await raw.until(/event: history/)
  const web = { url: upstream.origin, listen: '127.0.0.1:0', breaker: { consecutiveFailures: 9 } }
  await proxy.reload({ upstreams: { web } })
  const [, told = ''] = /event: reload\ndata: (.*)\n\n/.exec(await raw.until(/event: reload\ndata: .*\n\n/)) ?? []
  expect(JSON.parse(told)).toMatchObject({
    trigger: 'api',
    outcome: 'applied',
    faults: [],
    changes: { changed: ['web'] },
  })
  expect(await states()).toEqual(['forced-open open'])
  raw.socket.destroy()
})
