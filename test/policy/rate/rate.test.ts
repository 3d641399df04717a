import { expect, test } from 'vitest'
import { ask, openRaw, problemOf } from '../../support/client.ts'
import type { Scene, Scope } from '../../support/scripted-upstream.ts'
import { withSidecar } from '../../support/sidecar.ts'

const withRate = (t: Scope, scenes: readonly Scene[], settings: object) =>
  withSidecar(t, scenes, {
    web: {
      concurrency: { max: 1_000 },
      connections: { max: 1_000 },
      timeout: { attempt: '1h', total: '10m' },
      breaker: { consecutiveFailures: 1_000, failureRate: false },
      ...settings,
    },
  })

const OK: Scene = { body: 'ok' }
const times = (upstream: { arrivals: readonly { at: number }[] }) => upstream.arrivals.map(({ at }) => at)

/** The most arrivals within any stretch of `ms`. */
const densest = (at: readonly number[], ms: number) =>
  Math.max(...at.map((from) => at.filter((one) => one >= from && one < from + ms).length))

test('rate: of 300 calls at once an upstream of 100 a minute gets no more, and no 429', async (t) => {
  const rate = { requests: 90, per: '60s', burst: 90, queueTimeout: '10m' }
  const { clock, upstream, url } = await withRate(t, [OK], { rate })
  await clock.advance(60_000)
  const answers = Promise.all(Array.from({ length: 300 }, () => ask(url)))
  await upstream.arrival(90)
  for (let minute = 1; minute <= 3; minute += 1) {
    await clock.armed(60_000)
    await clock.advance(60_000)
    await upstream.arrival(Math.min(300, 90 * (minute + 1)))
  }
  expect(new Set((await answers).map(({ status }) => status))).toEqual(new Set([200]))
  expect(densest(times(upstream), 60_000)).toBe(90)
})

test('rate: after a quiet window a burst goes at once, the rest one interval apart', async (t) => {
  const rate = { requests: 10, per: '10s', burst: 3 }
  const { clock, upstream, url } = await withRate(t, [OK], { rate })
  await clock.advance(10_000)
  const answers = Array.from({ length: 6 }, () => ask(url))
  await upstream.arrival(3)
  for (let arrivals = 4; arrivals <= 6; arrivals += 1) {
    await clock.elapse(1_000)
    await upstream.arrival(arrivals)
  }
  expect((await Promise.all(answers)).map(({ status }) => status)).toEqual(Array(6).fill(200))
  expect(times(upstream)).toEqual([10_000, 10_000, 10_000, 11_000, 12_000, 13_000])
})

test('rate: turns are taken in order of arrival, as early as the window allows', async (t) => {
  const rate = { requests: 2, per: '10s', burst: 2, queueTimeout: '60s' }
  const { clock, upstream, url, proxy } = await withRate(t, [OK], { rate })
  await clock.advance(10_000)
  await ask(`${url}/1`)
  await clock.advance(4_000)
  await ask(`${url}/2`)
  const third = ask(`${url}/3`)
  await clock.armed(6_000)
  const fourth = ask(`${url}/4`)
  await expect.poll(async () => await proxy.sample('queued', { upstream: 'web' })).toBe(2)
  await clock.advance(6_000)
  await third
  await clock.elapse(4_000)
  await fourth
  expect(upstream.arrivals.map(({ target, at }) => [target, at])).toEqual([
    ['/1', 10_000],
    ['/2', 14_000],
    ['/3', 20_000],
    ['/4', 24_000],
  ])
  expect(await proxy.logged(({ path }) => path === '/4')).toMatchObject({ queue_ms: 10_000 })
})

test('rate: a request that cannot be sent before its deadline is refused at once, with Retry-After', async (t) => {
  const { clock, upstream, url } = await withRate(t, [OK], {
    rate: { requests: 1, per: '60s', queueTimeout: '60s' },
    timeout: { attempt: '1h', total: '25s' },
  })
  await ask(url)
  await clock.advance(20_500)
  const refused = await ask(url)
  expect([refused.status, refused.headers['retry-after'], problemOf(refused)]).toEqual([
    503,
    '40',
    expect.objectContaining({
      type: 'urn:breakwater:rate',
      detail:
        'rate.requests: 1 within 1m; the next call may go in 40 s, too late for the time that the request has left',
    }),
  ])
  await clock.advance(20_000)
  const waits = ask(url)
  await clock.elapse(19_500)
  expect((await waits).status).toBe(200)
  expect(upstream.arrivals).toHaveLength(2)
})

test('rate: queueTimeout bounds the wait, and a client that leaves makes room', async (t) => {
  const { clock, upstream, url, port, proxy } = await withRate(t, [OK], {
    rate: { requests: 1, per: '10s', queueTimeout: '15s' },
  })
  await ask(url)
  const leaver = openRaw(port)
  leaver.send('GET /leaver HTTP/1.1\r\nHost: x\r\n\r\n')
  await clock.armed(10_000)
  const refused = await ask(url)
  expect([refused.headers['retry-after'], problemOf(refused)]).toEqual([
    '20',
    expect.objectContaining({
      detail: 'rate.requests: 1 within 10s; the next call may go in 20 s, later than rate.queueTimeout: 15s allows',
    }),
  ])
  leaver.socket.destroy()
  await proxy.logged(({ path, reason }) => path === '/leaver' && reason === 'client_gone')
  const next = ask(`${url}/next`)
  await expect.poll(async () => await proxy.sample('queued', { upstream: 'web' })).toBe(1)
  await clock.advance(10_000)
  expect((await next).status).toBe(200)
  expect(upstream.arrivals.map(({ target }) => target)).toEqual(['/', '/next'])
})

test('rate: a retry counts too; if it would be too late, the last response is relayed', async (t) => {
  const { clock, upstream, url } = await withRate(t, [{ status: 503 }, OK, { status: 503, body: 'busy' }], {
    rate: { requests: 1, per: '10s', queueTimeout: '60s' },
    timeout: { attempt: '1h', total: '25s' },
    retry: { attempts: 3 },
  })
  const answer = ask(url)
  await clock.elapse(2_000)
  await clock.elapse(8_000)
  expect((await answer).status).toBe(200)
  expect(times(upstream)).toEqual([0, 10_000])
  await clock.advance(9_000)
  const busy = ask(url, { headers: { 'x-request-timeout': '5' } })
  await clock.elapse(1_000)
  await clock.elapse(2_000)
  const { status, body } = await busy
  expect([status, body.toString()]).toEqual([503, 'busy'])
})
