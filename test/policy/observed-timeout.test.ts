import fc from 'fast-check'
import { expect, test } from 'vitest'
import { freshLatencies, quantile, record } from '../../src/policy/observe/latencies.ts'
import { ask, openRaw } from '../support/client.ts'
import type { FakeClock } from '../support/fake-clock.ts'
import type { Scene, Scope } from '../support/scripted-upstream.ts'
import { withSidecar } from '../support/sidecar.ts'
import { until } from '../support/until.ts'

const ATTEMPT = { observed: 'p99', times: 1.5, min: '50ms', max: '10s' }

/** A sidecar with an observed timeout, before an upstream whose response time the test sets. */
async function withObserved(t: Scope, attempt: object = ATTEMPT, settings: object = {}) {
  const pace = { ms: 100 }
  const scenes = (clock: FakeClock): Scene[] => [
    (request, response) => {
      const { ms } = pace
      request.on('end', () => clock.after(ms, () => response.end('ok'))).resume()
    },
  ]
  const { clock, upstream, proxy, url, port } = await withSidecar(t, scenes, {
    top: {
      job: { inputs: { n: { header: 'x-n', default: 1 } } },
      timeouts: { part: { per: { n: '1s' }, min: '100ms', max: '1h' } },
    },
    web: {
      retry: { attempts: 2 },
      breaker: { consecutiveFailures: 1000, failureRate: false },
      timeout: { attempt, total: '60s' },
      ...settings,
    },
  })
  let n = 0
  const served = async (ms: number, times: number) => {
    for (let i = 0; i < times; i += 1) {
      pace.ms = ms
      const answer = ask(url)
      n += 1
      await upstream.arrival(n)
      await clock.elapse(ms)
      await answer
    }
  }
  /** ms after which an attempt that hangs is given up. */
  const limit = async (fields = '') => {
    pace.ms = 100_000
    const client = openRaw(port)
    client.send(`GET / HTTP/1.1\r\nHost: x\r\n${fields}\r\n`)
    n += 1
    await upstream.arrival(n)
    const since = clock.now()
    let isGone = false
    const gone = upstream.gone(n).then(() => {
      isGone = true
    })
    while (!isGone) {
      await clock.advance(1)
      await Promise.race([gone, new Promise((resolve) => setImmediate(resolve))])
    }
    const ms = clock.now() - since
    client.socket.destroy()
    await until(async () => proxy.log.filter(({ msg }) => msg === 'request').length === n)
    return ms
  }
  return { served, limit }
}

test('observed timeout: is max until enough attempts are recorded, then a multiple of p99', async (t) => {
  const { served, limit } = await withObserved(t)
  await served(100, 10)
  expect(Math.abs((await limit()) - 10_000)).toBeLessThan(20)
  const fresh = await withObserved(t)
  await fresh.served(100, 30)
  const ms = await fresh.limit()
  expect(ms).toBeGreaterThanOrEqual(150)
  expect(ms).toBeLessThan(150 * 1.05 + 20)
})

test('observed timeout: stays between min and the fixed or computed max', async (t) => {
  const quick = await withObserved(t)
  await quick.served(1, 30)
  expect((await quick.limit()) - 50).toBeLessThan(20)
  const slow = await withObserved(t, { ...ATTEMPT, max: '120ms' })
  await slow.served(110, 30)
  expect((await slow.limit()) - 120).toBeLessThan(20)
  const computed = await withObserved(t, { ...ATTEMPT, max: { computed: 'part' } })
  await computed.served(900, 30)
  expect((await computed.limit()) - 1_000).toBeLessThan(20)
  const more = await computed.limit('x-n: 2\r\n')
  expect(more).toBeGreaterThan(1_300)
  expect(more).toBeLessThan(2_020)
})

test('observed timeout: grows when the upstream slows down: timed-out attempts count as slow ones', async (t) => {
  const { served, limit } = await withObserved(t)
  await served(100, 30)
  const limits = []
  for (let i = 0; i < 8; i += 1) limits.push(await limit())
  expect(limits.at(-1)).toBeGreaterThan(4 * (limits[0] ?? 0))
})

test('quantile: is at most 5 % above the exact one; samples a day old no longer count', () => {
  const samples = fc.array(fc.double({ min: 1, max: 1_000_000, noNaN: true }), { minLength: 20, maxLength: 400 })
  fc.assert(
    fc.property(samples, fc.constantFrom(0.5, 0.9, 0.95, 0.99), (all, share) => {
      const latencies = freshLatencies()
      for (const ms of all) record(latencies, ms, 1_000)
      const sorted = all.toSorted((a, b) => a - b)
      const exact = sorted[Math.ceil(share * all.length - 1e-9) - 1] ?? 0
      const found = quantile(latencies, share, 1_000) ?? 0
      expect(found).toBeGreaterThanOrEqual(exact * (1 - 1e-9))
      expect(found).toBeLessThanOrEqual(exact * 1.05 * (1 + 1e-9))
    }),
  )
  const latencies = freshLatencies()
  for (let i = 0; i < 1_000; i += 1) record(latencies, 1_000, 0)
  const DAY = 86_400_000
  for (let i = 0; i < 30; i += 1) record(latencies, 10, DAY)
  expect(quantile(latencies, 0.99, DAY)).toBeLessThan(11)
  expect(quantile(latencies, 0.99, DAY * 2)).toBeUndefined()
})
