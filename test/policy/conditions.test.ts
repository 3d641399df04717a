/** Each kind of condition in hold, failureWhen and completedWhen, and the places of a job's id, through the proxy. */

import { brotliCompressSync, gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { LONG_OPEN } from '../support/breaker.ts'
import { ask } from '../support/client.ts'
import type { Scene, Scope } from '../support/scripted-upstream.ts'
import { withSidecar } from '../support/sidecar.ts'

const JSON_TYPE = { 'content-type': 'application/json' }
const answer = (body: unknown, more: { status?: number; headers?: Record<string, string> } = {}): Scene => ({
  ...more,
  headers: { ...JSON_TYPE, ...more.headers },
  body: typeof body === 'string' ? body : JSON.stringify(body),
})

const withRoute = (t: Scope, scenes: readonly Scene[], route: object, web: object = {}) =>
  withSidecar(t, scenes, {
    defaults: {
      retry: { attempts: 1 },
      timeout: { attempt: '12s', total: '25s' },
      breaker: { ...LONG_OPEN, consecutiveFailures: 2, failureRate: false },
    },
    web: { routes: [{ match: 'GET /jobs/{id}', ...route }], ...web },
    path: '/jobs/1',
  })

test.for<[what: string, running: unknown, pending: Scene, done: Scene]>([
  ['a status', { status: [202] }, { status: 202 }, answer({ ok: 1 })],
  ['a status that is no success', { status: [404] }, { status: 404, body: 'not yet' }, { body: 'the file' }],
  ['text in another case', { json: '/s', in: ['IN_QUEUE'] }, answer({ s: 'in_queue' }), answer({ s: 'DONE' })],
  ['a number', { json: '/state', in: [1, 2] }, answer({ state: 2 }), answer({ state: 3 })],
  ['false', { json: '/complete', in: [false] }, answer({ complete: false }), answer({ complete: true })],
  ['null', { json: '/result', in: [null] }, answer({ result: null }), answer({ result: 7 })],
  ['a state that is not listed', { json: '/s', notIn: ['ok', 'bad'] }, answer({ s: 'warming' }), answer({ s: 'bad' })],
  ['a value that is not there', { json: '/result', exists: false }, answer({}), answer({ result: {} })],
  ['an empty list', { json: '/outputs', empty: true }, answer({ outputs: [] }), answer({ outputs: [1] })],
  ['an empty body', { json: '', empty: true }, answer({}), answer({ 7: {} })],
  [
    'a header',
    { header: 'X-Job-State', in: ['Running'] },
    answer({}, { headers: { 'x-job-state': 'running' } }),
    answer({}, { headers: { 'x-job-state': 'done' } }),
  ],
  ['a text', { text: '(?i)still\\s+running' }, { body: 'Still running' }, { body: 'done' }],
  ['any of a list', [{ status: [202] }, { json: '/s', in: ['q'] }], answer({ s: 'q' }), answer({ s: 'd' })],
  [
    'all of a list',
    { all: [{ status: [425] }, { json: '/detail', in: ['not ready'] }] },
    answer({ detail: 'Not ready' }, { status: 425 }),
    answer({ detail: 'gone' }, { status: 410 }),
  ],
  ['a negation', { not: { json: '/done', in: [true] } }, answer({ name: 'op/7' }), answer({ done: true })],
])('hold: while %s', async ([, running, pending, done], t) => {
  const hold = { while: running, upTo: '20s', every: '2s' }
  const { clock, upstream, url } = await withRoute(t, [pending, pending, done], { hold })
  const held = ask(url)
  await clock.elapse(2_000)
  await clock.elapse(2_000)
  const { status, body } = await held
  const expected = done as { status?: number; body: string }
  expect([status, body.toString()]).toEqual([expected.status ?? 200, expected.body])
  expect(upstream.arrivals.map(({ at }) => at)).toEqual([0, 2_000, 4_000])
})

test('hold: an unreadable report is relayed at once when it is the first, and polled past when it is not', async (t) => {
  const hold = { while: { json: '/s', notIn: ['done'] }, upTo: '20s', every: '2s' }
  const broken = answer('{"s":')
  const { clock, upstream, url } = await withRoute(t, [broken, answer({ s: 'q' }), broken, answer({ s: 'done' })], {
    hold,
  })
  expect((await ask(url)).body.toString()).toBe('{"s":')
  const held = ask(url)
  await clock.elapse(2_000)
  await clock.elapse(2_000)
  expect(JSON.parse((await held).body.toString())).toEqual({ s: 'done' })
  expect(upstream.arrivals).toHaveLength(4)
})

test('hold: a failed poll ends no hold by status', async (t) => {
  const hold = { while: { status: [202] }, upTo: '20s', every: '2s' }
  const scenes: Scene[] = [{ status: 202 }, { status: 503 }, { status: 404 }, { body: 'done' }]
  const { clock, url } = await withRoute(t, scenes, { hold })
  const held = ask(url)
  for (let poll = 2; poll <= 4; poll += 1) await clock.elapse(2_000)
  expect((await held).body.toString()).toBe('done')
})

test('completedWhen: ends a hold whose condition still holds', async (t) => {
  const route = {
    hold: { while: { status: [200] }, upTo: '20s', every: '2s' },
    completedWhen: { json: '/outputs', exists: true },
  }
  const { clock, upstream, proxy, url } = await withRoute(t, [answer({}), answer({ outputs: [] })], route)
  const held = ask(url)
  await clock.elapse(2_000)
  expect(JSON.parse((await held).body.toString())).toEqual({ outputs: [] })
  expect(upstream.arrivals).toHaveLength(2)
  expect(await seen(proxy, 'completed')).toBe(1)
})

type Sidecar = Awaited<ReturnType<typeof withRoute>>['proxy']
const seen = async (proxy: Sidecar, outcome: 'failed' | 'completed') =>
  (await proxy.sample('jobsSeen', { upstream: 'web', route: 'GET /jobs/{id}', outcome })) ?? 0

const KINDS: readonly [what: string, failed: unknown, scene: Scene][] = [
  ['a status', { status: ['4xx'] }, { status: 422, body: 'no' }],
  ['text in another case', { json: '/s', in: ['failed'] }, answer({ s: 'FAILED' })],
  ['false', { json: '/success', in: [false] }, answer({ success: false })],
  ['an error', { json: '/error', exists: true }, answer({ s: 'done', error: { code: 3 } })],
  ['an empty list', { json: '/outputs', empty: true }, answer({ outputs: [] })],
  ['a header', { header: 'x-job-state', in: ['FAILED'] }, { headers: { 'x-job-state': 'failed' }, body: '' }],
  ['a text', { text: '(?i)traceback' }, { body: 'Traceback (most recent call last)' }],
  ['any of a list', [{ status: [410] }, { json: '/s', in: ['bad'] }], answer({ s: 'bad' })],
  ['a gzipped report', { json: '/s', in: ['failed'] }, coded('gzip', gzipSync('{"s":"failed"}'))],
  ['a report in brotli', { json: '/s', in: ['failed'] }, coded('br', brotliCompressSync('{"s":"failed"}'))],
]

function coded(coding: string, body: Buffer): Scene {
  return { headers: { ...JSON_TYPE, 'content-encoding': coding }, body }
}

test.for(KINDS)('failureWhen: by %s', async ([, failed, scene], t) => {
  const { proxy, url } = await withRoute(t, [scene, scene, answer({ s: 'fine' })], { failureWhen: failed })
  const first = await ask(url)
  expect(first.status).toBe((scene as { status?: number }).status ?? 200)
  await proxy.logged(({ msg }) => msg === 'job failed')
  expect(await seen(proxy, 'failed')).toBe(1)
  await ask(url)
  expect(await proxy.logged(({ msg }) => msg === 'breaker open')).toMatchObject({ cause: 'jobs' })
})

test.for<[what: string, scene: Scene]>([
  ['larger than inspect', answer({ s: 'failed', log: 'x'.repeat(2_000) })],
  ['larger than inspect when unpacked', coded('gzip', gzipSync(JSON.stringify({ s: 'failed', l: 'x'.repeat(2_000) })))],
  ['not JSON', answer('{"s":"failed"')],
  ['in a coding that is not known', coded('zstd', Buffer.from('{"s":"failed"}'))],
])('failureWhen: a report that is %s is neither failed nor completed', async ([, scene], t) => {
  const route = {
    failureWhen: { json: '/s', in: ['failed'] },
    completedWhen: { status: [200] },
    inspect: '1KiB',
  }
  const { proxy, url } = await withRoute(t, [scene, answer({ s: 'failed' })], route)
  await ask(url)
  await ask(url)
  await proxy.logged(({ msg }) => msg === 'job failed')
  expect([await seen(proxy, 'failed'), await seen(proxy, 'completed')]).toEqual([1, 0])
})

test.for<[what: string, match: string, oncePer: unknown, path: (id: number) => string, header?: string]>([
  ['a {name} before a suffix', 'GET /jobs/{id}:poll', 'id', (id) => `/jobs/${id}:poll`],
  ['a {name} in the query', 'GET /query-job?job_id={id}', 'id', (id) => `/query-job?x=1&job_id=${id}`],
  ['{ path: }', 'GET /jobs/{id}', { path: 'id' }, (id) => `/jobs/${id}`],
  ['{ query: }', 'GET /query-job', { query: 'job_id' }, (id) => `/query-job?job_id=${id}`],
  ['{ header: }', 'GET /job', { header: 'X-Job-Id' }, () => '/job', 'x-job-id'],
  ['{ json: }', 'GET /job', { json: '/id' }, (id) => `/job?${id}`],
])('failureWhen: once for each id by %s', async ([, match, oncePer, path, header], t) => {
  const echo: Scene = (request, response) => {
    const [id = ''] = /\d+(?=:poll$|$)/.exec(String(request.url)) ?? []
    response.writeHead(200, JSON_TYPE).end(JSON.stringify({ s: 'failed', id: Number(id) }))
  }
  const routes = [{ match, failureWhen: { json: '/s', in: ['failed'], oncePer } }]
  const { proxy, upstream } = await withRoute(t, [echo], {}, { routes })
  const poll = (id: number) => ask(proxy.own('web') + path(id), { headers: header ? { [header]: String(id) } : {} })
  for (let i = 0; i < 4; i += 1) expect((await poll(1)).status).toBe(200)
  await poll(2)
  await proxy.logged(({ msg }) => msg === 'breaker open')
  expect((await poll(3)).status).toBe(503)
  expect(upstream.arrivals).toHaveLength(5)
})

test('match: routes are told apart by query, suffix, verb and fields', async (t) => {
  const told = (name: string) => ({ response: { set: { 'x-route': name } } })
  const routes = [
    { match: 'GET /transcripts?id={id}', headers: told('query') },
    { match: 'POST /v1/{name}:cancel', idempotent: false, headers: told('verb') },
    { match: 'GET /files/{name}.mp4', headers: told('suffix') },
    {
      match: { request: 'POST /', headers: { 'X-Amz-Target': 'Transcribe.Start*' } },
      idempotent: true,
      headers: told('fields'),
    },
    { match: '* /*', headers: told('rest') },
  ]
  const { proxy } = await withRoute(t, [{ body: 'ok' }], {}, { routes })
  const routeOf = async (method: string, path: string, headers: Record<string, string> = {}) =>
    (await ask(proxy.own('web') + path, { method, headers })).headers['x-route']
  expect([
    await routeOf('GET', '/transcripts?a=1&id=7'),
    await routeOf('GET', '/transcripts'),
    await routeOf('POST', '/v1/7:cancel'),
    await routeOf('POST', '/v1/7'),
    await routeOf('GET', '/files/a.mp4'),
    await routeOf('GET', '/files/a.mp3'),
    await routeOf('POST', '/', { 'x-amz-target': 'Transcribe.StartTranscriptionJob' }),
    await routeOf('POST', '/', { 'x-amz-target': 'Transcribe.GetTranscriptionJob' }),
  ]).toEqual(['query', 'rest', 'verb', 'rest', 'suffix', 'rest', 'fields', undefined])
})
