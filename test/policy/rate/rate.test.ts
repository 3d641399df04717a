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
  const { clock, upstream, url } = await withRate(t, [OK], { rate: { requests: 90, per: '60s' } })
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

test('rate: turns are taken in order of arrival, as early as the window allows', async (t) => {
  const { clock, upstream, url, proxy } = await withRate(t, [OK], { rate: { requests: 2, per: '10s' } })
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
    ['/1', 0],
    ['/2', 4_000],
    ['/3', 10_000],
    ['/4', 14_000],
  ])
  expect(await proxy.logged(({ path }) => path === '/4')).toMatchObject({ queue_ms: 10_000 })
})

test('rate: a request without a turn in time is refused at once, with Retry-After', async (t) => {
  const { clock, upstream, url } = await withRate(t, [OK], {
    rate: { requests: 1, per: '60s' },
    timeout: { attempt: '1h', total: '25s' },
  })
  await ask(url)
  await clock.advance(20_500)
  const refused = await ask(url)
  expect([refused.status, refused.headers['retry-after'], problemOf(refused).type]).toEqual([
    503,
    '40',
    'urn:breakwater:rate',
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
  expect((await ask(url)).headers['retry-after']).toBe('20')
  leaver.socket.destroy()
  await proxy.logged(({ path, reason }) => path === '/leaver' && reason === 'client_gone')
  const next = ask(`${url}/next`)
  await expect.poll(async () => await proxy.sample('queued', { upstream: 'web' })).toBe(1)
  await clock.advance(10_000)
  expect((await next).status).toBe(200)
  expect(upstream.arrivals.map(({ target }) => target)).toEqual(['/', '/next'])
})

test('rate: a retry counts, too; one that would be too late gives way to the answer there is', async (t) => {
  const { clock, upstream, url } = await withRate(t, [{ status: 503 }, OK, { status: 503, body: 'busy' }], {
    rate: { requests: 1, per: '10s' },
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
