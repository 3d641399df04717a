import { request } from 'node:http'
import { expect, test } from 'vitest'
import { ask, problemOf } from '../../support/client.ts'
import { EPOCH_MS } from '../../support/fake-clock.ts'
import type { Scope } from '../../support/scripted-upstream.ts'
import { withSidecar } from '../../support/sidecar.ts'

const TOP = {
  checkpoints: { store: 'memory:', maxItems: 4, maxBody: '1KiB', interval: 10, ttl: '1h' },
  job: {
    inputs: {
      shorts_count: { default: 10, min: 0, max: 10_000 },
      audio_duration: { default: 60, min: 0, max: 86_400 },
      aspect_ratio: { default: '16:9' },
    },
  },
  timeouts: {
    download: {
      base: '60s',
      per: { shorts_count: '4s' },
      times: { aspect_ratio: { '9:16': 1.5 } },
      min: '30s',
      max: '1h',
    },
    validation: { per: { shorts_count: '2s' }, min: '30s', max: '1h' },
    build: {
      base: '60s',
      per: { audio_duration: '1.5s' },
      times: { aspect_ratio: { '9:16': 1.5 } },
      min: '30s',
      max: '1h',
    },
    total: { sum: ['download', 'validation', 'build'], min: '30s', max: '1h' },
  },
}

async function withControl(t: Scope, top: object = {}) {
  const fixture = await withSidecar(t, [{ body: 'ok' }], { top: { ...TOP, ...top } })
  const call = async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) => {
    const text = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body)
    const answer = await ask(`${fixture.proxy.controlUrl}/v1${path}`, {
      method,
      headers,
      ...(text === undefined ? {} : { body: text }),
    })
    const isJson = /json/.test(answer.headers['content-type'] ?? '')
    return { ...answer, told: isJson ? JSON.parse(answer.body.toString()) : undefined }
  }
  return { ...fixture, call }
}

test('checkpoints: are saved, loaded and cleared', async (t) => {
  const { call } = await withControl(t)
  const saved = {
    stage: 'downloading_shorts',
    completed_items: 2,
    total_items: 8,
    item_ids: ['a', 'b'],
    metadata: { k: 1 },
  }
  const first = await call('PUT', '/checkpoints/job-1', saved)
  expect([first.status, first.headers.etag]).toEqual([201, '"1"'])
  const record = {
    job_id: 'job-1',
    ...saved,
    progress: 0.25,
    timestamp: new Date(EPOCH_MS).toISOString(),
    revision: 1,
    expires_at: new Date(EPOCH_MS + 3_600_000).toISOString(),
  }
  expect(first.told).toEqual(record)
  expect((await call('PUT', '/checkpoints/job-1', saved)).status).toBe(200)
  const loaded = await call('GET', '/checkpoints/job-1')
  expect([loaded.status, loaded.headers.etag, loaded.told]).toEqual([200, '"2"', { ...record, revision: 2 }])
  expect((await call('DELETE', '/checkpoints/job-1')).status).toBe(204)
  expect((await call('DELETE', '/checkpoints/job-1')).status).toBe(204)
  expect((await call('GET', '/checkpoints/job-1')).status).toBe(404)
})

test('checkpoints: with no items in total, the progress is 0', async (t) => {
  const { call } = await withControl(t)
  const { told } = await call('PUT', '/checkpoints/j', { stage: 's', completed_items: 0, total_items: 0 })
  expect(told).toMatchObject({ progress: 0, item_ids: [], metadata: {} })
})

test('checkpoints: items are appended as a set per stage; the remaining items are listed in order', async (t) => {
  const { call } = await withControl(t)
  const added = await call('POST', '/checkpoints/j/items', { stage: 's', item_ids: ['b', 'a', 'b'], total_items: 4 })
  expect([added.status, added.told]).toEqual([
    201,
    expect.objectContaining({ completed_items: 2, progress: 0.5, revision: 1 }),
  ])
  expect(added.told.item_ids).toBeUndefined()
  const ids = await call('POST', '/checkpoints/j/remaining', { items: ['d', 'a', 'c', 'b'] })
  expect(ids.told).toEqual({ remaining: ['d', 'c'], total: 4, completed: 2, remaining_count: 2 })
  const objects = { items: [{ video_id: 'a' }, { video_id: 'x', n: 1 }, {}], id_key: 'video_id' }
  expect((await call('POST', '/checkpoints/j/remaining', objects)).told.remaining).toEqual([
    { video_id: 'x', n: 1 },
    {},
  ])
  await call('POST', '/checkpoints/j/items', { stage: 'later', item_ids: [] })
  expect((await call('GET', '/checkpoints/j')).told).toMatchObject({ stage: 'later', item_ids: [] })
  expect((await call('GET', '/checkpoints/j?stage=s')).told).toMatchObject({ stage: 's', item_ids: ['b', 'a'] })
  expect((await call('POST', '/checkpoints/none/remaining', { items: ['a'] })).told.remaining).toEqual(['a'])
})

test('checkpoints: are due at item 0, at every tenth item and at the last item', async (t) => {
  const { call } = await withControl(t)
  const due = async (completed: number, total: number) =>
    (await call('GET', `/checkpoints/j/due?completed=${completed}&total=${total}`)).told.due
  expect([await due(0, 50), await due(9, 50), await due(10, 50), await due(45, 50), await due(47, 47)]).toEqual([
    true,
    false,
    true,
    false,
    true,
  ])
})

test('checkpoints: a precondition that fails changes nothing', async (t) => {
  const { call } = await withControl(t)
  const item = (id: string) => ({ stage: 's', item_ids: [id] })
  expect((await call('POST', '/checkpoints/j/items', item('a'), { 'if-match': '*' })).status).toBe(412)
  expect((await call('POST', '/checkpoints/j/items', item('a'), { 'if-none-match': '*' })).status).toBe(201)
  expect((await call('POST', '/checkpoints/j/items', item('b'), { 'if-match': '"7"' })).status).toBe(412)
  expect((await call('DELETE', '/checkpoints/j', undefined, { 'if-match': '"7"' })).status).toBe(412)
  expect((await call('POST', '/checkpoints/j/items', item('b'), { 'if-match': 'abc' })).told).toMatchObject({
    status: 400,
    field: 'if-match',
  })
  expect((await call('POST', '/checkpoints/j/items', item('c'), { 'if-match': '"1"' })).headers.etag).toBe('"2"')
  expect((await call('GET', '/checkpoints/j')).told.item_ids).toEqual(['a', 'c'])
})

test('checkpoints: an older attempt is refused once a newer one has written', async (t) => {
  const { call } = await withControl(t)
  const as = (attempt: number, id: string) =>
    call('POST', '/checkpoints/j/items', { stage: 's', item_ids: [id], attempt })
  expect((await as(2, 'a')).status).toBe(201)
  expect((await as(1, 'b')).told).toMatchObject({ status: 409, field: 'attempt' })
  expect((await as(2, 'c')).status).toBe(200)
})

test.for([
  ['PUT', '/checkpoints/j', '{"stage":', 400, undefined],
  ['PUT', '/checkpoints/j', { stage: 'S', completed_items: 0, total_items: 0 }, 400, 'stage'],
  ['PUT', '/checkpoints/j', { stage: 's', completed_items: -1, total_items: 0 }, 400, 'completed_items'],
  ['PUT', '/checkpoints/j', { stage: 's', completed_items: 0 }, 400, 'total_items'],
  ['PUT', '/checkpoints/j', { stage: 's', completed_items: 0, total_items: 0, extra: 1 }, 400, 'extra'],
  ['POST', '/checkpoints/j/items', { stage: 's', item_ids: ['a', 3] }, 400, 'item_ids.1'],
  ['POST', '/checkpoints/j/items', { stage: 's', item_ids: ['a', 'b', 'c', 'd', 'e'] }, 400, 'item_ids'],
  ['POST', '/checkpoints/j/items', { stage: 's', item_ids: ['x'.repeat(2_000)] }, 413, undefined],
  ['POST', '/checkpoints/j/remaining', { items: [3] }, 400, 'items.0'],
  ['PUT', '/checkpoints/a%20b', { stage: 's', completed_items: 0, total_items: 0 }, 400, 'job'],
  ['GET', '/checkpoints/j?stage=No', undefined, 400, 'stage'],
  ['GET', '/checkpoints/j/due?completed=x&total=1', undefined, 400, 'completed'],
  ['GET', '/checkpoints?limit=0', undefined, 400, 'limit'],
  ['PUT', '/jobs/j', { shorts_count: 10_001 }, 400, 'shorts_count'],
  ['PUT', '/jobs/j', { shorts: 1 }, 400, 'shorts'],
  ['GET', '/timeouts?audio_duration=-1', undefined, 400, 'audio_duration'],
  ['GET', '/timeouts?audio_duration=NaN', undefined, 400, 'audio_duration'],
] as const)(
  '%s %s %j is refused with %i, naming %s, and changes nothing',
  async ([method, path, body, status, field], t) => {
    const { call } = await withControl(t)
    const answer = await call(method, path, body)
    expect([answer.status, answer.told.field, answer.headers['content-type']]).toEqual([
      status,
      field,
      'application/problem+json',
    ])
    expect((await call('GET', '/checkpoints')).told.checkpoints).toEqual([])
  },
)

test('checkpoints: are listed by pages, and by stage', async (t) => {
  const { call } = await withControl(t)
  for (const job of ['b', 'a', 'c'])
    await call('POST', `/checkpoints/${job}/items`, { stage: job === 'b' ? 'rare' : 's', item_ids: [] })
  const first = (await call('GET', '/checkpoints?limit=2')).told
  expect([first.checkpoints.map((one: { job_id: string }) => one.job_id), first.next_cursor]).toEqual([['a', 'b'], 'b'])
  const second = (await call('GET', `/checkpoints?limit=2&cursor=${first.next_cursor}`)).told
  expect([second.checkpoints.length, second.next_cursor]).toEqual([1, null])
  expect((await call('GET', '/checkpoints?stage=rare')).told.checkpoints).toHaveLength(1)
})

test('checkpoints: progress of each stage is listed by pages, without the items', async (t) => {
  const { call } = await withControl(t)
  for (const stage of ['first', 'second', 'third'])
    await call('POST', '/checkpoints/a/items', { stage, item_ids: ['x', stage], total_items: 4 })
  await call('POST', '/checkpoints/b/items', { stage: 'only', item_ids: [] })
  const first = (await call('GET', '/progress?limit=1')).told
  expect(first).toEqual({
    jobs: [
      {
        job_id: 'a',
        stages: ['first', 'second', 'third'].map((stage) => ({ stage, completed_items: 2, total_items: 4 })),
      },
    ],
    next_cursor: 'a',
  })
  expect((await call('GET', `/progress?cursor=${first.next_cursor}`)).told).toEqual({
    jobs: [{ job_id: 'b', stages: [{ stage: 'only', completed_items: 0, total_items: 0 }] }],
    next_cursor: null,
  })
})

test('timeouts: are computed from the job shape, with the terms of each', async (t) => {
  const { call } = await withControl(t)
  expect((await call('GET', '/timeouts')).told.timeouts).toEqual({
    download: 100,
    validation: 30,
    build: 150,
    total: 270,
  })
  const { told } = await call('GET', '/timeouts?shorts_count=50&audio_duration=300&aspect_ratio=9:16')
  expect(told.timeouts).toEqual({ download: 390, validation: 100, build: 765, total: 1255 })
  expect(told.terms.download).toEqual(['base 60 s', 'shorts_count 50 · 4 s = 200 s', '× 1.5 (aspect_ratio 9:16)'])
})

test("jobs: a deadline bounds the requests that carry the job's id", async (t) => {
  const { call, clock, proxy, upstream } = await withControl(t)
  const registered = await call('PUT', '/jobs/job-1', { shorts_count: 0, audio_duration: 0 })
  expect(registered.status).toBe(201)
  expect(registered.told).toMatchObject({
    timeouts: { total: 120 },
    time_left_s: 120,
    started_at: new Date(EPOCH_MS).toISOString(),
  })
  const asks = () => ask(proxy.own('web'), { headers: { 'x-job-id': 'job-1' } })
  expect((await asks()).status).toBe(200)
  await clock.advance(119_999)
  expect((await call('GET', '/jobs/job-1')).told.time_left_s).toBe(0.001)
  expect((await asks()).status).toBe(200)
  await clock.advance(1)
  const late = await asks()
  expect([late.status, problemOf(late).type]).toEqual([504, 'urn:breakwater:job_deadline'])
  expect(upstream.arrivals).toHaveLength(2)
  expect((await ask(proxy.own('web'))).status).toBe(200)
  const again = await call('PUT', '/jobs/job-1', { shorts_count: 100, audio_duration: 0 })
  expect([again.status, again.told.started_at]).toEqual([200, new Date(EPOCH_MS).toISOString()])
  expect((await call('DELETE', '/jobs/job-1')).status).toBe(204)
  expect((await call('GET', '/jobs/job-1')).status).toBe(404)
  expect((await asks()).status).toBe(200)
})

test('token: operations that show data need it; probes and metrics do not', async (t) => {
  const { proxy } = await withControl(t, { control: { listen: '127.0.0.1:0', token: 'hunter2' } })
  const status = async (path: string, authorization = '') =>
    (await ask(`${proxy.controlUrl}${path}`, { headers: { authorization } })).status
  expect([await status('/livez'), await status('/readyz'), await status('/metrics')]).toEqual([200, 200, 200])
  for (const path of ['/v1/checkpoints', '/v1/timeouts', '/openapi.json']) {
    expect([await status(path), await status(path, 'Bearer hunter3'), await status(path, 'Bearer hunter2')]).toEqual([
      401, 401, 200,
    ])
  }
  expect(JSON.stringify(proxy.log)).not.toContain('hunter')
})

test('control API: DNS rebinding and CORS are refused', async (t) => {
  const { proxy } = await withControl(t)
  const { port } = new URL(proxy.controlUrl)
  const status = await new Promise<number | undefined>((resolve) => {
    request({ host: '127.0.0.1', port, path: '/v1/checkpoints', headers: { host: 'evil.example' } }, (response) => {
      response.resume()
      resolve(response.statusCode)
    }).end()
  })
  expect(status).toBe(403)
  const answer = await ask(`${proxy.controlUrl}/v1/checkpoints`, { headers: { origin: 'https://evil.example' } })
  expect(answer.headers['access-control-allow-origin']).toBeUndefined()
})

test('OpenAPI: every operation exists and answers as the document says', async (t) => {
  const { proxy, call } = await withControl(t)
  const document = JSON.parse((await ask(`${proxy.controlUrl}/openapi.json`)).body.toString())
  expect(document.openapi).toBe('3.1.0')
  await call('PUT', '/checkpoints/j', { stage: 's', completed_items: 0, total_items: 0 })
  await call('PUT', '/jobs/j', {})
  const bodies: Record<string, unknown> = {
    saveCheckpoint: { stage: 's', completed_items: 1, total_items: 2 },
    appendItems: { stage: 's', item_ids: ['a'] },
    remainingItems: { items: ['a', 'b'] },
    registerJob: { shorts_count: 2 },
    setBreakerMode: { mode: 'observe' },
    simulate: {
      scenario:
        'lasts: 1s\ntraffic: [{ upstream: web, request: GET /, rate: 1 }]\nupstreams: { web: { latency: { p50: 1ms, p99: 1ms } } }',
    },
  }
  await call('PUT', '/upstreams/web/breaker', { mode: 'forced-open' })
  const { incidents } = JSON.parse((await ask(`${proxy.controlUrl}/v1/incidents`)).body.toString())
  await ask(`${proxy.url}/web/x`)
  const { requests } = JSON.parse((await ask(`${proxy.controlUrl}/v1/requests`)).body.toString())
  const named: Record<string, string> = {
    setBreakerMode: 'web',
    readIncident: incidents[0].id,
    loadRequest: requests[0].request_id,
  }
  const queries: Record<string, string> = { isCheckpointDue: '?completed=1&total=2', explainRequest: '?path=/' }
  const seen: string[] = []
  for (const [path, methods] of Object.entries<Record<string, { operationId: string; responses: object }>>(
    document.paths,
  )) {
    for (const [method, { operationId, responses }] of Object.entries(methods)) {
      const url = `${proxy.controlUrl}${path.replace(/\{\w+\}/, named[operationId] ?? 'j')}${queries[operationId] ?? ''}`
      const body = bodies[operationId]
      seen.push(operationId)
      // The event stream never ends, so another test covers it.
      if (operationId === 'watchEvents') continue
      const answer = await ask(url, {
        method: method.toUpperCase(),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      expect([operationId, Object.keys(responses)]).toEqual([
        operationId,
        expect.arrayContaining([String(answer.status)]),
      ])
      expect([operationId, answer.status]).toEqual([operationId, expect.toSatisfy((status: number) => status < 300)])
    }
  }
  expect(seen.length).toBe(34)
})
