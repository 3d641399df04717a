import { expect, test } from 'vitest'
import { ask, problemOf } from '../../support/client.ts'
import type { Scene, Scope } from '../../support/scripted-upstream.ts'
import { withSidecar } from '../../support/sidecar.ts'

const JSON_TYPE = { 'content-type': 'application/json' }
const json = (value: object, status = 200, headers: Record<string, string> = {}): Scene => ({
  status,
  headers: { ...JSON_TYPE, ...headers },
  body: JSON.stringify(value),
})

const STATES = { json: '/status', in: ['failed', 'canceled'] }
const ROUTES = [
  { match: 'POST /jobs', creates: { id: { json: '/id' }, deadline: '60s', abandonedAfter: '30s' } },
  { match: 'GET /jobs/{id}', job: 'id', failureWhen: STATES },
  { match: 'GET /jobs/{id}/file', job: 'id' },
  { match: 'POST /jobs/{id}/cancel', job: 'id' },
  { match: 'DELETE /jobs/{id}', job: 'id' },
]

const withJobs = (t: Scope, scenes: readonly Scene[], routes: readonly object[] = ROUTES, top: object = {}) =>
  withSidecar(t, scenes, { web: { routes, retry: { attempts: 1 } }, top })

type Fixture = Awaited<ReturnType<typeof withJobs>>

const jobsOf = async ({ proxy }: Pick<Fixture, 'proxy'>) =>
  JSON.parse((await ask(`${proxy.controlUrl}/v1/jobs`)).body.toString()).jobs

const ended = ({ proxy }: Pick<Fixture, 'proxy'>) => proxy.logged(({ msg }) => msg === 'job ended')

test('jobs: a job is followed from its creation through polls to its file', async (t) => {
  const all = await withJobs(t, [
    json({ id: 7, status: 'queued' }, 201),
    json({ id: 7, status: 'queued' }),
    json({ id: 7, status: 'running' }),
    json({ id: 7, status: 'completed' }),
    { body: 'the file' },
  ])
  const { clock, proxy, url } = all
  await ask(`${url}/jobs`, { method: 'POST', body: '{}' })
  expect(await jobsOf(all)).toMatchObject([
    {
      job_id: 'web:7',
      time_left_s: 60,
      life: { upstream: 'web', route: 'POST /jobs', id: '7', state: 'running', status: null, polls: 0, attempts: 1 },
    },
  ])
  for (let i = 0; i < 3; i += 1) {
    await clock.advance(1_000)
    await ask(`${url}/jobs/7`)
  }
  expect(await ended(all)).toMatchObject({
    level: 'info',
    job: '7',
    upstream: 'web',
    route: 'POST /jobs',
    outcome: 'completed',
    duration_ms: 3_000,
    polls: 3,
    attempts: 4,
    statuses: ['queued', 'running', 'completed'],
  })
  // A completed job has no deadline: its result may be fetched at any time.
  await clock.advance(100_000)
  expect((await ask(`${url}/jobs/7/file`)).body.toString()).toBe('the file')
  const [{ life }] = await jobsOf(all)
  expect(life).toMatchObject({ state: 'completed', status: 'completed', polls: 3, attempts: 5, age_s: 3 })
  expect(await proxy.sample('jobs', { upstream: 'web', route: 'POST /jobs', outcome: 'completed' })).toBe(1)
  expect(proxy.log.filter(({ msg }) => msg === 'job ended')).toHaveLength(1)
  expect(proxy.log.filter(({ msg, job_id }) => msg === 'request' && job_id === '7')).toHaveLength(5)
})

test('jobs: the deadline bounds each request of the job, without a header of the client', async (t) => {
  const all = await withJobs(t, [json({ id: 'a', status: 'queued' }), 'hang'])
  const { clock, upstream, url } = all
  await ask(`${url}/jobs`, { method: 'POST', body: '{}' })
  for (let i = 0; i < 2; i += 1) await clock.advance(29_000)
  const late = ask(`${url}/jobs/a`)
  await upstream.arrival(2)
  await clock.elapse(2_000)
  expect(problemOf(await late)).toMatchObject({ type: 'urn:breakwater:job_deadline', status: 504 })
  expect(problemOf(await ask(`${url}/jobs/a/file`)).type).toBe('urn:breakwater:job_deadline')
  expect(upstream.arrivals).toHaveLength(2)
})

test('jobs: a job past its deadline and one that nobody asks for are told apart', async (t) => {
  const all = await withJobs(t, [json({ id: 'idle' }), json({ id: 'slow' }), json({ id: 'slow', status: 'running' })])
  const { clock, proxy, url } = all
  await ask(`${url}/jobs`, { method: 'POST', body: '{}' })
  await ask(`${url}/jobs`, { method: 'POST', body: '{}' })
  await clock.advance(20_000)
  await ask(`${url}/jobs/slow`)
  await clock.advance(10_000)
  expect(await ended(all)).toMatchObject({ job: 'idle', outcome: 'abandoned', duration_ms: 30_000, polls: 0 })
  await clock.advance(15_000)
  await ask(`${url}/jobs/slow`)
  await clock.advance(15_000)
  expect(await proxy.logged(({ msg, job }) => msg === 'job ended' && job === 'slow')).toMatchObject({
    outcome: 'deadline',
    duration_ms: 60_000,
    polls: 2,
    statuses: ['running'],
  })
})

test('jobs: an abandoned job that somebody asks for again goes on, with its first deadline', async (t) => {
  const all = await withJobs(t, [json({ id: 1 }), json({ status: 'running' }), json({ status: 'done' })])
  const { clock, proxy, url } = all
  await ask(`${url}/jobs`, { method: 'POST', body: '{}' })
  await clock.advance(30_000)
  await ended(all)
  await ask(`${url}/jobs/1`)
  expect((await jobsOf(all))[0]).toMatchObject({ time_left_s: 30, life: { state: 'running', ended_at: null } })
  await ask(`${url}/jobs/1`)
  expect(await proxy.logged(({ outcome }) => outcome === 'completed')).toMatchObject({ duration_ms: 30_000, polls: 2 })
})

test('jobs: a repeated creation of the same id does not reset its deadline', async (t) => {
  const all = await withJobs(t, [json({ id: 1, status: 'queued' })])
  const { clock, url } = all
  await ask(`${url}/jobs`, { method: 'POST', body: '{}' })
  await clock.advance(25_000)
  await ask(`${url}/jobs`, { method: 'POST', body: '{}' })
  expect(await jobsOf(all)).toMatchObject([{ time_left_s: 35, life: { attempts: 2 } }])
})

test.for([
  ['a DELETE', 'DELETE', '/jobs/1', [{ status: 204 }], 'cancelled'],
  ['a cancel, then the word for it', 'POST', '/jobs/1/cancel', [json({}), json({ status: 'failed' })], 'cancelled'],
  ['the upstream itself', 'GET', '/jobs/1', [json({ status: 'canceled' })], 'cancelled'],
  ['a cancel that came too late', 'POST', '/jobs/1/cancel', [json({}), json({ status: 'completed' })], 'completed'],
  [
    'a cancel that the upstream refuses',
    'POST',
    '/jobs/1/cancel',
    [json({}, 409), json({ status: 'failed' })],
    'failed',
  ],
] satisfies [string, string, string, Scene[], string][])(
  'jobs: the end of a job by %s is told',
  async ([, method, path, scenes, outcome], t) => {
    const all = await withJobs(t, [json({ id: 1 }), ...scenes])
    await ask(`${all.url}/jobs`, { method: 'POST', body: '{}' })
    await ask(all.url + path, { method })
    if (scenes.length > 1) await ask(`${all.url}/jobs/1`)
    expect(await ended(all)).toMatchObject({ outcome })
  },
)

test('jobs: a job that its upstream has forgotten is lost at the third 404', async (t) => {
  const all = await withJobs(t, [json({ id: 1 }), json({ status: 'running' }), json({}, 404)])
  await ask(`${all.url}/jobs`, { method: 'POST', body: '{}' })
  for (let i = 0; i < 4; i += 1) await ask(`${all.url}/jobs/1`)
  expect(await ended(all)).toMatchObject({ outcome: 'lost', polls: 4, statuses: ['running'] })
})

const withPoll = (id: object, poll: object) => [
  { match: 'POST /jobs', creates: { id, deadline: '60s' } },
  { ...poll, failureWhen: STATES },
]
const BY_PATH = { match: 'GET /jobs/{id}', job: { path: 'id' } }

test.for([
  ['a nested number of the JSON', { json: '/data/0/id' }, json({ data: [{ id: 42 }] }), BY_PATH, '/jobs/42', '42'],
  [
    'a Location',
    { header: 'location' },
    { status: 202, headers: { location: '/jobs/a%20b?x=1' } },
    BY_PATH,
    '/jobs/a%20b',
    'a b',
  ],
  [
    'a Location with a pattern',
    { header: 'location', match: '/jobs/{id}/status' },
    { status: 202, headers: { location: 'http://other:1/v1/jobs/9/status' } },
    BY_PATH,
    '/jobs/9',
    '9',
  ],
  [
    'a URL in the JSON, polled by query',
    { json: '/urls/get', match: '/result?job_id={id}' },
    json({ urls: { get: 'http://a/result?job_id=q%2F1' } }),
    { match: 'GET /result', job: { query: 'job_id' } },
    '/result?job_id=q%2F1',
    'q/1',
  ],
  [
    'a header field, polled by a field',
    { header: 'x-operation' },
    { headers: { 'x-operation': 'op-1' } },
    { match: 'POST /poll', job: { header: 'x-job' } },
    '/poll',
    'op-1',
  ],
  [
    'the response of the poll',
    { json: '/id' },
    json({ id: 'j' }),
    { match: 'GET /latest', job: { json: '/id' } },
    '/latest',
    'j',
  ],
] satisfies [string, object, Scene, object, string, string][])(
  'jobs: an id is learned from %s',
  async ([, id, created, poll, path, learned], t) => {
    const all = await withJobs(t, [created, json({ id: learned, status: 'completed' })], withPoll(id, poll))
    const { proxy, url } = all
    await ask(`${url}/jobs`, { method: 'POST', body: '{}' })
    const method = path === '/poll' ? 'POST' : 'GET'
    await ask(url + path, { method, headers: { 'x-job': 'op-1' } })
    expect(await ended(all)).toMatchObject({ job: learned, outcome: 'completed', polls: 1 })
    expect(await proxy.logged(({ path: at }) => at === path.replace(/\?.*/, ''))).toMatchObject({ job_id: learned })
  },
)

test.for([
  ['too_large', json({ id: 1, rest: 'x'.repeat(70_000) })],
  ['unreadable', { headers: JSON_TYPE, body: '{' }],
  ['no_id', json({ other: 1 })],
] satisfies [string, Scene][])('jobs: an id that cannot be read is unknown: %s', async ([why, scene], t) => {
  const all = await withJobs(t, [scene])
  expect((await ask(`${all.url}/jobs`, { method: 'POST', body: '{}' })).status).toBe(200)
  expect(await all.proxy.logged(({ msg }) => msg === 'job id not learned')).toMatchObject({ level: 'warn', why })
  expect(await jobsOf(all)).toEqual([])
  expect(await all.proxy.sample('jobsUnlearned', { upstream: 'web', route: 'POST /jobs', why })).toBe(1)
})

test('jobs: the deadline follows from the shape that the request had, in its JSON, too', async (t) => {
  const top = {
    job: { inputs: { parts: { json: '/n', header: 'x-parts', default: 1 } } },
    timeouts: { total: { base: '10s', per: { parts: '2s' } } },
  }
  const routes = [{ match: 'POST /jobs', creates: { id: { json: '/id' }, deadline: 'total' } }]
  const all = await withJobs(t, [json({ id: 1 }), json({ id: 2 })], routes, top)
  await ask(`${all.url}/jobs`, { method: 'POST', headers: JSON_TYPE, body: '{"n":5}' })
  await ask(`${all.url}/jobs`, { method: 'POST', headers: { 'x-parts': '3' } })
  expect(await jobsOf(all)).toMatchObject([
    { job_id: 'web:2', inputs: { parts: 3 }, time_left_s: 16 },
    { job_id: 'web:1', inputs: { parts: 5 }, time_left_s: 20 },
  ])
})

test('jobs: a failed creation creates nothing', async (t) => {
  const all = await withJobs(t, [json({ id: 1 }, 503)])
  await ask(`${all.url}/jobs`, { method: 'POST', body: '{}' })
  expect(await jobsOf(all)).toEqual([])
})

test('jobs: each report behind a held poll is seen, and the end is told once', async (t) => {
  const hold = { json: '/status', in: ['queued', 'running'], upTo: '20s', every: '3s' }
  const routes = [ROUTES[0], { match: 'GET /jobs/{id}', job: 'id', hold }]
  const all = await withJobs(
    t,
    [json({ id: 1 }), ...['queued', 'running', 'finished'].map((status) => json({ status }))],
    routes as object[],
  )
  const { clock, upstream, url } = all
  await ask(`${url}/jobs`, { method: 'POST', body: '{}' })
  const answer = ask(`${url}/jobs/1`)
  for (let polled = 2; polled < 4; polled += 1) {
    await upstream.arrival(polled)
    await clock.elapse(3_000)
  }
  await answer
  expect(await ended(all)).toMatchObject({
    outcome: 'completed',
    polls: 1,
    attempts: 4,
    statuses: ['queued', 'running', 'finished'],
  })
})

test('jobs: a failed job that is created again under its id begins anew', async (t) => {
  const all = await withJobs(t, [json({ id: 1 }), json({ status: 'failed' }), json({ id: 1 })])
  const { clock, proxy, url } = all
  await ask(`${url}/jobs`, { method: 'POST', body: '{}' })
  await clock.advance(20_000)
  await ask(`${url}/jobs/1`)
  await ask(`${url}/jobs`, { method: 'POST', body: '{}' })
  expect(await jobsOf(all)).toMatchObject([{ time_left_s: 60, life: { state: 'running', attempts: 1, statuses: [] } }])
  expect(proxy.log.filter(({ msg }) => msg === 'job ended')).toMatchObject([{ outcome: 'failed', duration_ms: 20_000 }])
})

const lives = async (all: Fixture) => {
  const [{ life }] = await jobsOf(all)
  return [life.state, life.status]
}

test('jobs: a failed job that its upstream runs again goes on, and its other end is told, too', async (t) => {
  const states = ['failed', 'running', 'completed']
  const all = await withJobs(t, [json({ id: 1 }, 201), ...states.map((status) => json({ status }))])
  const { clock, proxy, url } = all
  await ask(`${url}/jobs`, { method: 'POST', body: '{}' })
  const seen = []
  for (const _ of states) {
    await clock.advance(2_000)
    await ask(`${url}/jobs/1`)
    seen.push(await lives(all))
  }
  expect(seen).toEqual(states.map((status) => [status, status]))
  const ends = proxy.log.filter(({ msg }) => msg === 'job ended')
  expect(ends.map(({ outcome, duration_ms: ms }) => [outcome, ms])).toEqual([
    ['failed', 2_000],
    ['completed', 6_000],
  ])
})

test('jobs: a report that was asked for before the job failed does not make it run again', async (t) => {
  const finish = Promise.withResolvers<void>()
  const late: Scene = (_, response) => {
    void finish.promise.then(() => response.writeHead(200, JSON_TYPE).end('{"status":"running"}'))
  }
  const all = await withJobs(t, [json({ id: 1 }, 201), late, json({ status: 'failed' })])
  const { clock, upstream, url } = all
  await ask(`${url}/jobs`, { method: 'POST', body: '{}' })
  const slow = ask(`${url}/jobs/1`)
  await upstream.arrival(2)
  await clock.advance(1_000)
  await ask(`${url}/jobs/1?again`)
  await clock.advance(1_000)
  finish.resolve()
  await slow
  expect(await lives(all)).toEqual(['failed', 'running'])
})

test('jobs: one that was cancelled too late is completed', async (t) => {
  const all = await withJobs(t, [
    json({ id: 1 }),
    { status: 204 },
    json({ status: 'running' }),
    json({ status: 'done' }),
  ])
  const { clock, url } = all
  await ask(`${url}/jobs`, { method: 'POST', body: '{}' })
  await ask(`${url}/jobs/1`, { method: 'DELETE' })
  const seen = []
  for (let i = 0; i < 2; i += 1) {
    await clock.advance(1_000)
    await ask(`${url}/jobs/1`)
    seen.push((await lives(all))[0])
  }
  expect(seen).toEqual(['cancelled', 'completed'])
})

test('jobs: an id that a new job gets after the first was completed has a deadline of its own', async (t) => {
  const states = ['done', 'done', 'running', 'done']
  const all = await withJobs(t, [
    json({ id: 1 }),
    json({ status: 'done' }),
    json({ id: 1 }),
    json({ status: 'done' }),
    json({ id: 1 }),
    json({ status: 'running' }),
    json({ status: 'done' }),
  ])
  const { clock, proxy, url } = all
  const seen = []
  for (const status of states) {
    if (seen.length < 3) await ask(`${url}/jobs`, { method: 'POST', body: '{}' })
    await clock.advance(10_000)
    await ask(`${url}/jobs/1`)
    const [{ time_left_s: left }] = await jobsOf(all)
    seen.push([...(await lives(all)), left])
    expect(seen.at(-1)?.[1]).toBe(status)
  }
  expect(seen.map(([state]) => state)).toEqual(['completed', 'completed', 'running', 'completed'])
  expect(seen[2]?.[2]).toBe(50)
  const ends = proxy.log.filter(({ msg }) => msg === 'job ended')
  expect(ends.map(({ duration_ms: ms }) => ms)).toEqual([10_000, 20_000])
})
