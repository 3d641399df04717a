import { expect, type TestContext, test } from 'vitest'
import { ask, problemOf } from '../support/client.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { needs } from '../support/needs.ts'
import { startProxy } from '../support/proxy.ts'
import { hasRedis, startRedis } from '../support/redis.ts'
import { scriptedUpstream } from '../support/scripted-upstream.ts'
import { until } from '../support/until.ts'

needs('redis-server', hasRedis)

const JOB = { inputs: { shorts_count: { default: 0, min: 0, max: 100 } } }
const TIMEOUTS = { total: { base: '60s', per: { shorts_count: '10s' }, min: '1s', max: '1h' } }

/** A sidecar of a pod whose wall clock is wrong by `skewMs`. */
async function pod(t: TestContext, store: string, skewMs = 0) {
  const clock = fakeClock()
  clock.jumpWall(skewMs)
  const upstream = await scriptedUpstream(t, clock, [{ body: 'ok' }])
  const proxy = await startProxy(t, {
    clock,
    top: { checkpoints: { store }, job: JOB, timeouts: TIMEOUTS },
    upstreams: { web: { url: upstream.origin, listen: '127.0.0.1:0' } },
  })
  const call = async (method: string, job: string, body?: object, headers = {}) => {
    const answer = await ask(`${proxy.controlUrl}/v1/jobs/${job}`, {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    return { status: answer.status, told: answer.body.length === 0 ? {} : JSON.parse(answer.body.toString()) }
  }
  const request = (job: string) => ask(proxy.own('web'), { headers: { 'x-job-id': job } })
  return { clock, proxy, call, request }
}

test.runIf(hasRedis)('jobs: pods on one Redis have one start and one deadline for a job', async (t) => {
  const { port } = await startRedis(t)
  const store = `redis://127.0.0.1:${port}`
  const a = await pod(t, store)
  const b = await pod(t, store, -7_200_000)
  const first = await a.call('PUT', 'film', { shorts_count: 4 })
  expect(first).toMatchObject({ status: 201, told: { timeouts: { total: 100 }, inputs: { shorts_count: 4 } } })
  // A redelivered task registers its job again, at another pod and with another shape.
  const again = await b.call('PUT', 'film', { shorts_count: 90 })
  expect(again.status).toBe(200)
  for (const { told } of [again, await a.call('GET', 'film'), await b.call('GET', 'film')]) {
    const { started_at, deadline_at, inputs } = first.told
    expect(told).toMatchObject({ started_at, deadline_at, inputs })
    expect(told.time_left_s).toBeGreaterThan(90)
  }
  // Redis' clock says when a job started, and not that of a pod.
  expect(Math.abs(Date.parse(first.told.started_at) - Date.now())).toBeLessThan(60_000)

  await b.clock.advance(90_000)
  expect((await b.request('film')).status).toBe(200)
  await b.clock.advance(60_000)
  expect(problemOf(await b.request('film')).type).toBe('urn:breakwater:job_deadline')
})

test.runIf(hasRedis)('jobs: a pod that meets an unknown id sends the first request, and bounds the next', async (t) => {
  const { port } = await startRedis(t)
  const store = `redis://127.0.0.1:${port}`
  const [a, b] = [await pod(t, store), await pod(t, store)]
  await b.clock.elapse(1_000)
  await a.call('PUT', 'film', { shorts_count: 0 })
  expect((await b.request('film')).status).toBe(200)
  await until(async () => JSON.parse((await ask(`${b.proxy.controlUrl}/v1/jobs`)).body.toString()).total === 1)
  await b.clock.advance(61_000)
  expect((await b.request('film')).status).toBe(504)
  // Forgotten and begun anew at one pod, it is so at the other one, too.
  expect((await a.call('DELETE', 'film')).status).toBe(204)
  await a.call('PUT', 'film', { shorts_count: 0 })
  await b.clock.advance(5_000)
  await until(async () => (await b.request('film')).status === 200)
  expect((await b.request('no-such-film')).status).toBe(200)
})

test.runIf(hasRedis)('jobs: with If-Match a registered job gets another shape, and keeps its start', async (t) => {
  const { port } = await startRedis(t)
  const { call } = await pod(t, `redis://127.0.0.1:${port}`)
  const change = { 'if-match': '*' }
  expect((await call('PUT', 'film', { shorts_count: 1 }, change)).status).toBe(412)
  const { told } = await call('PUT', 'film', { shorts_count: 1 })
  const changed = await call('PUT', 'film', { shorts_count: 9 }, change)
  expect(changed).toMatchObject({ status: 200, told: { started_at: told.started_at, timeouts: { total: 150 } } })
  expect((await call('PUT', 'film', {}, { 'if-match': '"3"' })).status).toBe(400)
})

test.runIf(hasRedis)('jobs: while Redis is away requests with an id go on, known or not', async (t) => {
  const redis = await startRedis(t)
  const { call, request, clock } = await pod(t, `redis://127.0.0.1:${redis.port}`)
  await call('PUT', 'film', { shorts_count: 0 })
  await redis.stop()
  for (let i = 0; i < 3; i += 1)
    expect([(await request('film')).status, (await request(`new-${i}`)).status]).toEqual([200, 200])
  await clock.advance(61_000)
  expect((await request('film')).status).toBe(504)
})
