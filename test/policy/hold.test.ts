import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { LONG_OPEN } from '../support/breaker.ts'
import { ask, openRaw, problemOf } from '../support/client.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { startProxy } from '../support/proxy.ts'
import { type Scene, type Scope, scriptedUpstream } from '../support/scripted-upstream.ts'
import { withSidecar } from '../support/sidecar.ts'

const JSON_TYPE = { 'content-type': 'application/json' }
const report = (status: string, more: object = {}): Scene => ({
  headers: JSON_TYPE,
  body: JSON.stringify({ status, ...more }),
})
const HOLD = { json: '/status', in: ['queued', 'processing'], upTo: '20s', every: '2s' }

const withHold = (t: Scope, scenes: readonly Scene[], settings: object = {}, hold: object = HOLD) =>
  withSidecar(t, scenes, {
    defaults: { retry: { attempts: 1 }, timeout: { attempt: '12s', total: '25s' } },
    web: { routes: [{ match: 'GET /jobs/{id}', hold }], ...settings },
    path: '/jobs/1',
  })

const times = (upstream: { arrivals: readonly { at: number }[] }) => upstream.arrivals.map(({ at }) => at)

test('hold: a poll is answered when the status leaves the list, with the newest response', async (t) => {
  const { clock, upstream, proxy, url } = await withHold(t, [
    report('queued'),
    report('processing', { progress: 1 }),
    report('completed', { result: [1, 2.5] }),
  ])
  const answer = ask(url)
  await clock.elapse(2_000)
  await clock.elapse(2_000)
  const { status, body, headers } = await answer
  expect([status, body.toString(), headers['content-type']]).toEqual([
    200,
    '{"status":"completed","result":[1,2.5]}',
    'application/json',
  ])
  expect(times(upstream)).toEqual([0, 2_000, 4_000])
  expect(await proxy.logged(({ msg }) => msg === 'request')).toMatchObject({ attempts: 3, total_ms: 4_000 })
})

test('hold: after upTo the newest response is relayed, whatever its status', async (t) => {
  const { clock, upstream, url } = await withHold(
    t,
    [report('queued', { n: 1 }), report('queued', { n: 2 })],
    {},
    { ...HOLD, upTo: '3s' },
  )
  const answer = ask(url)
  await clock.elapse(2_000)
  await clock.armed(2_000)
  await clock.elapse(1_000)
  expect(JSON.parse((await answer).body.toString())).toEqual({ status: 'queued', n: 2 })
  expect(upstream.arrivals).toHaveLength(2)
  expect(clock.pending().filter((ms) => ms <= 1_000)).toEqual([])
})

test("hold: a held poll ends at the client's deadline", async (t) => {
  const { clock, url } = await withHold(t, [report('queued')])
  const answer = ask(url, { headers: { 'x-request-timeout': '1.5' } })
  await clock.armed(2_000)
  await clock.elapse(1_500)
  expect((await answer).status).toBe(200)
  const hung = await withHold(t, ['hang'])
  const late = ask(hung.url, { headers: { 'x-request-timeout': '1.5' } })
  await hung.upstream.arrival(1)
  await hung.clock.elapse(1_500)
  expect(problemOf(await late).type).toBe('urn:breakwater:client_deadline')
})

test('hold: equal polls share one call, each with a deadline of its own', async (t) => {
  const { clock, upstream, proxy, url, port } = await withHold(t, [
    report('queued'),
    report('processing'),
    report('completed'),
  ])
  const first = ask(url, { headers: { 'x-request-timeout': '1' } })
  await clock.armed(2_000)
  const leaver = openRaw(port)
  leaver.send(`GET /jobs/1 HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`)
  const others = [ask(url), ask(url), ask(url)]
  await expect.poll(() => clock.pending().filter((ms) => ms === 20_000).length).toBe(4)
  await clock.elapse(1_000)
  expect(JSON.parse((await first).body.toString()).status).toBe('queued')
  leaver.socket.destroy()
  await proxy.logged(({ reason }) => reason === 'client_gone')
  await clock.elapse(1_000)
  await clock.elapse(2_000)
  for (const { body } of await Promise.all(others)) expect(JSON.parse(body.toString()).status).toBe('completed')
  expect(times(upstream)).toEqual([0, 2_000, 4_000])
})

test('hold: polling stops when the last client has left', async (t) => {
  const { clock, upstream, proxy, port } = await withHold(t, [report('queued')])
  const raw = openRaw(port)
  raw.send('GET /jobs/1 HTTP/1.1\r\nHost: x\r\n\r\n')
  await clock.armed(2_000)
  raw.socket.destroy()
  await proxy.logged(({ reason }) => reason === 'client_gone')
  await clock.advance(30_000)
  expect(upstream.arrivals).toHaveLength(1)
})

test('hold: clients with different credentials do not share a poll', async (t) => {
  const { upstream, url } = await withHold(t, [report('completed')])
  await Promise.all(['a', 'b'].map((key) => ask(url, { headers: { 'x-api-key': key } })))
  expect(upstream.arrivals.map(({ headers }) => headers['x-api-key']).sort()).toEqual(['a', 'b'])
})

test('hold: polling goes on after a failed poll; if the first poll fails, its fault is relayed', async (t) => {
  const last: Scene = { headers: { ...JSON_TYPE, connection: 'close' }, body: '{"status":"queued"}' }
  const { clock, url } = await withHold(t, [last, 'reset', report('completed')])
  const answer = ask(url)
  await clock.elapse(2_000)
  await clock.elapse(2_000)
  expect(JSON.parse((await answer).body.toString()).status).toBe('completed')
  const dead = await withHold(t, ['reset'])
  expect(problemOf(await ask(dead.url)).type).toBe('urn:breakwater:reset')
})

test('hold and resume: a poll on a route with resume is answered', async (t) => {
  const fields = { ...JSON_TYPE, 'accept-ranges': 'bytes', etag: '"1"' }
  const resumable = (body: string): Scene => ({ headers: { ...fields, 'content-length': String(body.length) }, body })
  const { clock, upstream, url } = await withHold(
    t,
    [resumable('{"status":"queued"}'), resumable('{"status":"done"}')],
    {
      routes: [{ match: 'GET /jobs/{id}', hold: HOLD, resume: true }],
      concurrency: { max: 1 },
    },
  )
  const answer = ask(url)
  await clock.elapse(2_000)
  expect((await answer).body.toString()).toBe('{"status":"done"}')
  expect(times(upstream)).toEqual([0, 2_000])
})

test('hold: an upgrade request is not held and shares no poll', async (t) => {
  const { upstream, url, port } = await withHold(t, ['hang'])
  const raw = openRaw(port)
  raw.send(`GET /jobs/1 HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`)
  await upstream.begun(1)
  const poll = ask(url, { headers: { connection: 'close' } })
  await upstream.begun(2)
  raw.socket.destroy()
  await upstream.gone(1)
  upstream.dropConnections()
  expect((await poll).status).toBe(502)
})

test('hold: a 500 that opens the breaker ends the hold and is relayed; the next poll is rejected', async (t) => {
  const { clock, upstream, url } = await withHold(
    t,
    [report('queued'), { status: 500 }],
    {
      breaker: { ...LONG_OPEN, consecutiveFailures: 1 },
      connections: { idle: '1s' },
    },
    { ...HOLD, in: ['queued'], upTo: '5s' },
  )
  const answer = ask(url)
  await clock.elapse(2_000)
  await clock.elapse(2_000)
  await clock.armed(2_000)
  await clock.elapse(1_000)
  const { status } = await answer
  expect([status, upstream.arrivals.length]).toEqual([200, 2])
  const refused = await ask(url)
  expect([refused.status, upstream.arrivals.length]).toEqual([503, 2])
})

test('hold: a first answer without the status is relayed at once; compressed ones are read', async (t) => {
  const large = { headers: JSON_TYPE, body: JSON.stringify({ status: 'queued', text: 'x'.repeat(300_000) }) }
  const packed: Scene = { headers: { ...JSON_TYPE, 'content-encoding': 'gzip' }, body: gzipSync('{"status":"queued"}') }
  const { clock, upstream, url } = await withHold(t, [
    { status: 404, body: 'none' },
    { body: 'text' },
    large,
    packed,
    report('done'),
  ])
  expect((await ask(url)).status).toBe(404)
  expect((await ask(url)).body.toString()).toBe('text')
  const both = await Promise.all([ask(url), ask(url)])
  expect(both.map(({ body }) => body.length).sort((a, b) => a - b)[1]).toBe(large.body.length)
  await clock.advance(2_000)
  expect(upstream.arrivals.length).toBeGreaterThanOrEqual(4)
})

test('hold: ten polls of 3 s get the result of a 150 s job in fewer than 75 calls', async (t) => {
  let startedAt = 0
  const clock = fakeClock()
  const job: Scene = (_, response) => {
    const status = clock.now() - startedAt >= 150_000 ? 'completed' : 'processing'
    response.writeHead(200, JSON_TYPE).end(JSON.stringify({ status }))
  }
  const upstream = await scriptedUpstream(t, clock, [job])
  const proxy = await startProxy(t, {
    clock,
    upstreams: {
      web: {
        url: upstream.origin,
        listen: '127.0.0.1:0',
        routes: [{ match: 'GET /jobs/{id}', hold: { ...HOLD, every: '3s' } }],
      },
    },
  })
  // No other timer of the sidecar is due at a multiple of 3 s from now on.
  await clock.advance(500)
  startedAt = clock.now()
  let status = ''
  let polls = 0
  while (status !== 'completed' && polls < 10) {
    const answer = ask(`${proxy.own('web')}/jobs/1`)
    let body: Buffer | undefined
    const answered = answer.then((told) => {
      body = told.body
    })
    for (;;) {
      await Promise.race([answered, clock.armed(3_000)])
      if (body !== undefined) break
      await clock.advance(3_000)
    }
    status = JSON.parse(body.toString()).status
    polls += 1
    await clock.advance(3_000)
  }
  expect([status, polls <= 10]).toEqual(['completed', true])
  expect(upstream.arrivals.length).toBeLessThan(75)
})

test('hold: a 5xx that failureWhen names is the failed job, and is relayed at once', async (t) => {
  const failed = { status: 500, headers: JSON_TYPE, body: '{"issue":[]}' }
  const routes = [
    {
      match: 'GET /jobs/{id}',
      hold: { while: { status: [202] }, upTo: '20s', every: '2s' },
      failureWhen: { status: [500] },
    },
  ]
  const { clock, upstream, url } = await withHold(t, [{ status: 202 }, { status: 502 }, failed], { routes })
  const answer = ask(url)
  for (const n of [1, 2]) {
    await upstream.arrival(n)
    await clock.elapse(2_000)
  }
  expect((await answer).status).toBe(500)
  expect(upstream.arrivals).toHaveLength(3)
})

test('hold: an event stream is relayed as it comes', async (t) => {
  const finish = Promise.withResolvers<void>()
  const events: Scene = (_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n')
    void finish.promise.then(() => response.end('data: 2\n\n'))
  }
  const hold = { json: '/status', in: ['running'], upTo: '20s', every: '2s' }
  const { url } = await withSidecar(t, [events], { web: { routes: [{ match: 'GET /jobs/{id}', hold }] } })
  const response = await fetch(`${url}/jobs/1`)
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  expect((await reader?.read())?.value).toBe('data: 1\n\n')
  finish.resolve()
  expect((await reader?.read())?.value).toBe('data: 2\n\n')
  expect((await reader?.read())?.done).toBe(true)
})
