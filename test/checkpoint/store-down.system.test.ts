import { expect, type TestContext, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { ask, problemOf } from '../support/client.ts'
import { metric } from '../support/metric.ts'
import { needs } from '../support/needs.ts'
import { freePort } from '../support/ports.ts'
import { startProxy } from '../support/proxy.ts'
import { hasRedis, startRedis } from '../support/redis.ts'
import { scriptedUpstream } from '../support/scripted-upstream.ts'
import { until } from '../support/until.ts'

const TIMEOUTS = { total: { base: '60s', min: '1s', max: '1h' } }

async function sidecar(t: TestContext, store: string) {
  const upstream = await scriptedUpstream(t, systemClock, [{ body: 'ok' }])
  const proxy = await startProxy(t, {
    clock: systemClock,
    top: { checkpoints: { store }, timeouts: TIMEOUTS },
    upstreams: { web: { url: upstream.origin, listen: '127.0.0.1:0' } },
  })
  const append = (id: string) =>
    ask(`${proxy.controlUrl}/v1/checkpoints/j/items`, {
      method: 'POST',
      body: JSON.stringify({ stage: 's', item_ids: [id] }),
    })
  return { proxy, append, request: () => ask(proxy.own('web')) }
}

needs('redis-server', hasRedis)

test.runIf(hasRedis)(
  'Redis hangs: an append gets 503 within 2 s, requests are served; appends work once Redis answers again',
  async (t) => {
    const redis = await startRedis(t)
    const { proxy, append, request } = await sidecar(t, `redis://:not-asked-for@127.0.0.1:${redis.port}`)
    expect((await append('a')).status).toBe(201)
    redis.process.kill('SIGSTOP')
    const startedAt = performance.now()
    const [refused, served] = await Promise.all([append('b'), request()])
    const answer = problemOf(refused)
    expect([answer.status, refused.headers['retry-after'], served.status]).toEqual([503, '1', 200])
    expect(answer.detail).toContain('Redis')
    expect(performance.now() - startedAt).toBeLessThan(2_000)
    await proxy.logged(({ msg }) => msg === 'checkpoint store down')
    expect(await proxy.sample('storeUp')).toBe(0)
    redis.process.kill('SIGCONT')
    // No request is sent: the store notices the recovery by itself.
    await until(async () => (await proxy.sample('storeUp')) === 1)
    expect((await append('c')).status).toBe(200)
    const series = await proxy.metrics()
    expect(series.get(metric('storeCalls', { operation: 'append', outcome: 'done' }))).toBe(2)
    expect(series.get(metric('storeCalls', { operation: 'append', outcome: 'down' }))).toBe(1)
    expect(JSON.stringify(proxy.log)).not.toContain('not-asked-for')
  },
)

test.runIf(hasRedis)('jobs saved before a restart are known as soon as Redis answers', async (t) => {
  const port = await freePort()
  const redis = await startRedis(t, { port })
  const first = await sidecar(t, `redis://127.0.0.1:${port}`)
  const put = await ask(`${first.proxy.controlUrl}/v1/jobs/job-1`, { method: 'PUT', body: '{}' })
  expect(put.status).toBe(201)
  redis.process.kill('SIGSTOP')
  const second = await sidecar(t, `redis://127.0.0.1:${port}`)
  const known = async () => (await ask(`${second.proxy.controlUrl}/v1/jobs/job-1`)).status === 200
  expect([await known(), (await second.request()).status]).toEqual([false, 200])
  redis.process.kill('SIGCONT')
  await until(known)
})
