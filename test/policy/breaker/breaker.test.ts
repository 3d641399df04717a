import { expect, test } from 'vitest'
import { METRICS } from '../../../src/control/metrics/metric-table.ts'
import { ask, openRaw, problemOf } from '../../support/client.ts'
import { LONG_OPEN } from '../../support/breaker.ts'
import { metric } from '../../support/metric.ts'
import type { Sidecar } from '../../support/proxy.ts'
import { type Scene, type Scope, scriptedUpstream } from '../../support/scripted-upstream.ts'
import { withSidecar } from '../../support/sidecar.ts'

type Settings = { readonly breaker?: object; readonly retry?: object; readonly [key: string]: unknown }

/** No jitter of the open time and of the waits. */
const withBreaker = (t: Scope, scenes: readonly Scene[], { breaker, retry, ...settings }: Settings = {}) =>
  withSidecar(t, scenes, {
    random: () => 0,
    web: {
      retry: { attempts: 1, backoff: { jitter: 0 }, ...retry },
      breaker: { ...LONG_OPEN, ...breaker },
      ...settings,
    },
  })

const FAIL: Scene = { status: 500, body: 'broken' }
const OK: Scene = { body: 'ok' }
const STATE = metric('breakerState', { upstream: 'web', route: '*' })
const CLOSED = 0
const HALF_OPEN = 1
const OPEN = 2
const stateOf = async (proxy: Sidecar) => (await proxy.metrics()).get(STATE)

test('breaker: five failures in a row open it; nothing passes until it is half open', async (t) => {
  const { clock, upstream, proxy, url } = await withBreaker(t, [FAIL])
  for (let i = 0; i < 5; i += 1) expect((await ask(url)).status).toBe(500)
  const rejected = await ask(url)
  expect([rejected.status, rejected.headers['retry-after'], rejected.headers['proxy-status']]).toEqual([
    503,
    '60',
    'breakwater; error=destination_unavailable',
  ])
  expect(problemOf(rejected)).toMatchObject({
    type: 'urn:breakwater:breaker_open',
    attempts: 0,
    retry_after_s: 60,
    upstream: 'web',
  })
  await clock.advance(59_001)
  expect((await ask(url)).headers['retry-after']).toBe('1')
  expect(upstream.arrivals).toHaveLength(5)
  expect(await stateOf(proxy)).toBe(OPEN)
  await clock.advance(999)
  expect(await stateOf(proxy)).toBe(HALF_OPEN)
})

test('breaker: false never opens, and can be forced open', async (t) => {
  const { upstream, proxy, url } = await withSidecar(t, [FAIL], {
    web: { retry: { attempts: 1 }, breaker: false },
  })
  for (let i = 0; i < 40; i += 1) expect((await ask(url)).status).toBe(500)
  expect(upstream.arrivals).toHaveLength(40)
  expect(await stateOf(proxy)).toBe(CLOSED)
  const body = JSON.stringify({ mode: 'forced-open' })
  const forced = await ask(`${proxy.controlUrl}/v1/upstreams/web/breaker`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body,
  })
  expect(forced.status).toBe(200)
  expect((await ask(url)).status).toBe(503)
})

test('breaker: a success resets the count of failures', async (t) => {
  const { proxy, url } = await withBreaker(t, [FAIL, FAIL, FAIL, FAIL, OK, FAIL, FAIL, FAIL, FAIL, FAIL])
  for (let i = 0; i < 9; i += 1) await ask(url)
  expect(await stateOf(proxy)).toBe(CLOSED)
  await ask(url)
  expect(await stateOf(proxy)).toBe(OPEN)
})

test('breaker: 4xx are successes; 429 is neither success nor consecutive failure', async (t) => {
  const tooMany: Scene = { status: 429 }
  const { proxy, url } = await withBreaker(t, [FAIL, FAIL, { status: 404 }, FAIL, tooMany, FAIL], {
    breaker: { consecutiveFailures: 2, failureRate: false },
  })
  for (let i = 0; i < 3; i += 1) await ask(url)
  expect(await stateOf(proxy)).toBe(OPEN)
  const second = await withBreaker(t, [FAIL, { status: 404 }, FAIL, tooMany, FAIL], {
    breaker: { consecutiveFailures: 2, failureRate: false },
  })
  for (let i = 0; i < 4; i += 1) await ask(second.url)
  expect(await stateOf(second.proxy)).toBe(CLOSED)
  await ask(second.url)
  expect(await stateOf(second.proxy)).toBe(OPEN)
})

test('breaker: a failure rate over the threshold opens it, given enough requests', async (t) => {
  const pattern = Array.from({ length: 40 }, (_, i): Scene => (i % 3 === 0 ? OK : FAIL))
  const { upstream, proxy, url } = await withBreaker(t, pattern, {
    breaker: { consecutiveFailures: 100, failureRate: { threshold: 0.5, window: '30s', minimumRequests: 20 } },
  })
  for (let i = 0; i < 19; i += 1) await ask(url)
  expect(await stateOf(proxy)).toBe(CLOSED)
  await ask(url)
  expect(await stateOf(proxy)).toBe(OPEN)
  expect(upstream.arrivals).toHaveLength(20)
})

test('breaker: half open admits a bounded number of probes; one success closes it', async (t) => {
  const gates: (() => void)[] = []
  const held: Scene = (_request, response) => void gates.push(() => response.end('ok'))
  const { clock, upstream, proxy, url } = await withBreaker(t, [FAIL, held, held, OK], {
    breaker: { consecutiveFailures: 1, halfOpenProbes: 2 },
  })
  await ask(url)
  await clock.advance(60_000)
  const probes = [ask(url), ask(url)]
  await upstream.arrival(3)
  const excess = await ask(url)
  expect([excess.status, excess.headers['retry-after']]).toEqual([503, '1'])
  gates[0]?.()
  expect((await probes[0])?.status).toBe(200)
  expect(await stateOf(proxy)).toBe(CLOSED)
  expect((await ask(url)).status).toBe(200)
  gates[1]?.()
  await probes[1]
})

test('breaker: a failed probe doubles openFor up to openForMax; closing resets it', async (t) => {
  const { clock, proxy, url } = await withBreaker(t, [FAIL, FAIL, FAIL, FAIL, OK, FAIL], {
    breaker: { consecutiveFailures: 1, openFor: '10s', openForMax: '25s' },
  })
  const retryAfter = async () => (await ask(url)).headers['retry-after']
  await ask(url)
  expect(await retryAfter()).toBe('10')
  for (const seconds of [20, 25, 25]) {
    await clock.advance(Number(await retryAfter()) * 1000)
    expect((await ask(url)).status).toBe(500)
    expect(await retryAfter()).toBe(String(seconds))
  }
  await clock.advance(25_000)
  expect((await ask(url)).status).toBe(200)
  expect(await stateOf(proxy)).toBe(CLOSED)
  await ask(url)
  expect(await retryAfter()).toBe('10')
})

test('breaker: an attempt that began before it opened neither closes nor reopens it', async (t) => {
  const gates: (() => void)[] = []
  const heldOk: Scene = (_request, response) => void gates.push(() => response.end('late'))
  const heldFail: Scene = (_request, response) => void gates.push(() => response.writeHead(500).end('late'))
  const { clock, upstream, proxy, url } = await withBreaker(t, [heldOk, heldFail, FAIL, OK], {
    breaker: { consecutiveFailures: 1 },
  })
  const late = [ask(url), ask(url)]
  await upstream.arrival(1)
  await upstream.arrival(2)
  await ask(url)
  await clock.advance(60_000)
  expect(await stateOf(proxy)).toBe(HALF_OPEN)
  gates[0]?.()
  await late[0]
  expect(await stateOf(proxy)).toBe(HALF_OPEN)
  expect((await ask(url)).status).toBe(200)
  expect(await stateOf(proxy)).toBe(CLOSED)
  gates[1]?.()
  await late[1]
  expect(await stateOf(proxy)).toBe(CLOSED)
})

test('breaker: a probe that hangs keeps its slot no longer than its timeout', async (t) => {
  const { clock, upstream, proxy, url, port } = await withBreaker(t, [FAIL, 'hang', OK], {
    timeout: { attempt: '12s' },
    breaker: { consecutiveFailures: 1, halfOpenProbes: 1 },
  })
  await ask(url)
  await clock.advance(60_000)
  const hung = openRaw(port)
  hung.send('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nslow')
  await upstream.begun(2)
  expect((await ask(url)).status).toBe(503)
  await clock.advance(12_000)
  expect((await ask(url)).status).toBe(200)
  expect(await stateOf(proxy)).toBe(CLOSED)
  expect(upstream.arrivals.length).toBeGreaterThanOrEqual(1)
  hung.socket.destroy()
})

test('breaker: a probe whose client leaves frees its slot; the breaker stays half open', async (t) => {
  const { clock, upstream, proxy, url, port } = await withBreaker(t, [FAIL, 'hang', OK], {
    breaker: { consecutiveFailures: 1, halfOpenProbes: 1 },
  })
  await ask(url)
  await clock.advance(60_000)
  const leaving = openRaw(port)
  leaving.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  await upstream.arrival(2)
  expect((await ask(url)).status).toBe(503)
  leaving.socket.destroy()
  await proxy.logged(({ reason }) => reason === 'client_gone')
  expect(await stateOf(proxy)).toBe(HALF_OPEN)
  expect((await ask(url)).status).toBe(200)
})

test('breaker: a call counts as slow when it passes slowerThan, not when it ends', async (t) => {
  const { clock, upstream, proxy, port } = await withBreaker(t, ['hang'], {
    timeout: { attempt: '60s', total: '100s' },
    breaker: {
      consecutiveFailures: 100,
      failureRate: false,
      slowCalls: { slowerThan: '10s', threshold: 0.5, window: '60s', minimumRequests: 3 },
    },
  })
  const calls = [1, 2, 3].map(() => openRaw(port))
  for (const call of calls) call.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  await upstream.arrival(3)
  await clock.advance(9_999)
  expect((await ask(`${proxy.controlUrl}/readyz`)).status).toBe(200)
  expect(await stateOf(proxy)).toBe(CLOSED)
  await clock.advance(1)
  const rejected = await ask(proxy.own('web'))
  expect(rejected.status).toBe(503)
  for (const call of calls) call.socket.destroy()
})

test('breaker: a body that breaks off is a failure even after a 200', async (t) => {
  const broken: Scene = (_request, response) => {
    response.writeHead(200).write('part', () => response.socket?.end())
  }
  const { proxy, url } = await withBreaker(t, [broken], { breaker: { consecutiveFailures: 2 } })
  for (let i = 0; i < 2; i += 1) await expect(ask(url)).rejects.toThrow()
  await proxy.logged(({ msg }) => msg === 'breaker open')
  expect(await stateOf(proxy)).toBe(OPEN)
})

test('breaker: refused connections open it; a probe closes it once the upstream is back', async (t) => {
  const { clock, upstream, proxy, url } = await withBreaker(t, [OK])
  await upstream.close()
  for (let i = 0; i < 5; i += 1) {
    const answer = await ask(url)
    expect([answer.status, answer.headers['proxy-status']]).toEqual([502, 'breakwater; error=connection_refused'])
  }
  expect(await stateOf(proxy)).toBe(OPEN)
  await scriptedUpstream(t, clock, [OK], upstream.port)
  expect((await ask(url)).status).toBe(503)
  await clock.advance(60_000)
  expect((await ask(url)).status).toBe(200)
  expect(await stateOf(proxy)).toBe(CLOSED)
})

test('breaker: counts attempts, not requests; no retry follows its opening', async (t) => {
  const { clock, upstream, url } = await withBreaker(t, [{ status: 503, body: 'busy' }], {
    retry: { attempts: 5 },
    breaker: { consecutiveFailures: 3 },
    timeout: { total: '100s' },
  })
  const answer = ask(url)
  await clock.elapse(2_000)
  await clock.elapse(4_000)
  const { status, body, headers } = await answer
  expect([status, body.toString(), headers['x-breakwater-attempts']]).toEqual([503, 'busy', '3'])
  expect(upstream.arrivals).toHaveLength(3)
})

test('breaker: when it opens, a back-off ends and the last response is relayed', async (t) => {
  const { clock, upstream, url } = await withBreaker(t, [{ status: 503, body: 'first' }, FAIL], {
    retry: { attempts: 5, on: [503] },
    breaker: { consecutiveFailures: 2 },
    timeout: { total: '100s' },
  })
  const waiting = ask(url)
  await clock.armed(2_000)
  expect((await ask(url)).body.toString()).toBe('broken')
  const answer = await waiting
  expect([answer.status, answer.body.toString()]).toEqual([503, 'first'])
  expect(clock.now()).toBe(0)
  expect(upstream.arrivals).toHaveLength(2)
})

test('breaker: the answer that a back-off ends with is whole up to 64 KiB', async (t) => {
  const large = Buffer.alloc(64 * 1024, 'x')
  const { clock, url } = await withBreaker(t, [{ status: 503, body: large }, FAIL], {
    retry: { attempts: 5, on: [503] },
    breaker: { consecutiveFailures: 2 },
    timeout: { total: '100s' },
  })
  const waiting = ask(url)
  await clock.armed(2_000)
  await ask(url)
  expect((await waiting).body.equals(large)).toBe(true)
})

test("breaker: a route with breaker settings has its own; other routes share the upstream's", async (t) => {
  const { proxy, url } = await withBreaker(t, [FAIL, FAIL, OK], {
    breaker: { consecutiveFailures: 2 },
    routes: [{ match: 'GET /flaky', breaker: { consecutiveFailures: 1 } }, { match: 'GET /jobs/{id}' }],
  })
  await ask(`${url}/flaky`)
  expect((await ask(`${url}/flaky`)).status).toBe(503)
  expect((await ask(`${url}/jobs/1`)).status).toBe(500)
  const metrics = await proxy.metrics()
  expect(metrics.get(metric('breakerState', { upstream: 'web', route: 'GET /flaky' }))).toBe(OPEN)
  expect(metrics.get(STATE)).toBe(CLOSED)
})

test('breaker: 500 requests to a dead upstream connect only for failures and budget', async (t) => {
  const { upstream, proxy, url } = await withSidecar(t, ['reset'], { web: { breaker: LONG_OPEN } })
  const answers = await Promise.all(Array.from({ length: 500 }, () => ask(url)))
  expect(answers.every(({ status }) => status === 502 || status === 503)).toBe(true)
  const reserve = 3 * 10
  expect(upstream.connections()).toBeLessThanOrEqual(5 + reserve + 500 * 0.2)
  expect(upstream.connections()).toBeLessThanOrEqual(64)
  const requests = [...(await proxy.metrics())].filter(([name]) => name.startsWith(METRICS.requests.name))
  expect(requests.reduce((sum, [, count]) => sum + count, 0)).toBe(500)
})

test('breaker: transitions are counted, and logged with their cause', async (t) => {
  const { clock, proxy, url } = await withBreaker(t, [FAIL, OK], { breaker: { consecutiveFailures: 1 } })
  await ask(url)
  await clock.advance(60_000)
  await ask(url)
  const metrics = [...(await proxy.metrics())].filter(([name]) => name.startsWith(METRICS.breakerTransitions.name))
  expect(metrics.map(([, count]) => count)).toEqual([1, 1, 1])
  const transitions = proxy.log.filter(({ from, to }) => from !== undefined && to !== undefined)
  expect(transitions.map(({ from, to, cause }) => [from, to, cause])).toEqual([
    ['closed', 'open', 'consecutive'],
    ['open', 'half-open', undefined],
    ['half-open', 'closed', undefined],
  ])
})
