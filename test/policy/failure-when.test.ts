import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SeenIds } from '../../src/policy/failure-when/rule.ts'
import { LONG_OPEN } from '../support/breaker.ts'
import { ask, problemOf } from '../support/client.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { startProxy } from '../support/proxy.ts'
import { type Scene, type Scope, scriptedUpstream } from '../support/scripted-upstream.ts'

const JSON_TYPE = { 'content-type': 'application/json' }

/** A job service. A job's id gives its status: `failed-3`, `processing-1`; `broken-1` is answered 500. */
const service: Scene = (request, response) => {
  const id = request.url?.split('/').at(-1) ?? ''
  request.resume()
  if (id.startsWith('broken')) return void response.writeHead(500).end()
  const status = request.method === 'POST' ? 'queued' : id.replace(/-.*/, '')
  response.writeHead(200, JSON_TYPE).end(JSON.stringify({ id, status }))
}

async function withRule(t: Scope, scene: Scene = service, rule: object = {}, route: object = {}) {
  const clock = fakeClock()
  const upstream = await scriptedUpstream(t, clock, [scene])
  const other = await scriptedUpstream(t, clock, [{ body: 'ok' }])
  const proxy = await startProxy(t, {
    clock,
    random: () => 0,
    defaults: { retry: { attempts: 1 }, breaker: { ...LONG_OPEN, consecutiveFailures: 3, failureRate: false } },
    upstreams: {
      web: {
        url: upstream.origin,
        listen: '127.0.0.1:0',
        routes: [
          {
            match: 'GET /jobs/{id}',
            failureWhen: { json: '/status', in: ['failed', 'error'], oncePer: 'id', ...rule },
            ...route,
          },
        ],
      },
      other: { url: other.origin, listen: '127.0.0.1:0' },
    },
  })
  const poll = (id: string) => ask(`${proxy.own('web')}/jobs/${id}`)
  const post = () => ask(`${proxy.own('web')}/jobs`, { method: 'POST', body: 'audio' })
  const seen = async (outcome: string) =>
    (await proxy.sample('jobsSeen', { upstream: 'web', route: 'GET /jobs/{id}', outcome })) ?? 0
  return { clock, upstream, proxy, poll, post, seen, other: () => ask(proxy.own('other')) }
}

test("failureWhen: three failed jobs open the breaker, and only that upstream's", async (t) => {
  const { clock, upstream, proxy, poll, post, other } = await withRule(t)
  for (const id of ['failed-1', 'error-2', 'failed-3']) {
    expect((await post()).status).toBe(200)
    expect((await poll('processing-0')).status).toBe(200)
    expect((await poll(id)).status).toBe(200)
  }
  const startedAt = performance.now()
  const refused = await post()
  expect(performance.now() - startedAt).toBeLessThan(50)
  expect([refused.status, refused.headers['retry-after'], problemOf(refused).type]).toEqual([
    503,
    '60',
    'urn:breakwater:breaker_open',
  ])
  expect((await other()).status).toBe(200)
  expect(upstream.arrivals).toHaveLength(9)
  expect(await proxy.logged(({ msg }) => msg === 'breaker open')).toMatchObject({ cause: 'jobs' })
  expect(proxy.log.filter(({ msg }) => msg === 'job failed').map(({ job }) => job)).toEqual([
    'failed-1',
    'error-2',
    'failed-3',
  ])

  await clock.advance(60_000)
  expect((await post()).status).toBe(200)
  await proxy.logged(({ msg }) => msg === 'breaker closed')
  // The upload, a success, closed the breaker; the next failed job opens it again, for twice as long.
  await poll('failed-4')
  expect((await post()).headers['retry-after']).toBe('120')
  await clock.advance(120_000)
  await poll('completed-5')
  await poll('failed-6')
  await poll('failed-7')
  expect((await post()).status).toBe(200)
})

test('failureWhen: a failed job counts once; a completed one resets the count', async (t) => {
  const { poll, post, seen } = await withRule(t)
  for (let i = 0; i < 10; i += 1) await poll('failed-1')
  await poll('failed-2')
  await poll('completed-3')
  await poll('completed-3')
  await poll('failed-4')
  await poll('failed-5')
  expect((await post()).status).toBe(200)
  expect([await seen('failed'), await seen('completed')]).toEqual([4, 1])
  await poll('failed-6')
  expect((await post()).status).toBe(503)
})

test('failureWhen and hold: a job that fails while held counts, even if its body comes late', async (t) => {
  const headSeen = Promise.withResolvers<void>()
  const slow: Scene = (_request, response) => {
    response.writeHead(200, JSON_TYPE).flushHeaders()
    void headSeen.promise.then(() => response.end('{"status":"failed"}'))
  }
  const { proxy, poll, seen } = await withRule(
    t,
    slow,
    {},
    { hold: { json: '/status', in: ['queued'], upTo: '20s', every: '2s' } },
  )
  const answer = poll('1')
  await proxy.logged(({ msg }) => msg === 'attempt')
  headSeen.resolve()
  expect((await answer).body.toString()).toBe('{"status":"failed"}')
  expect(await seen('failed')).toBe(1)
})

test('failureWhen: without oncePer each response counts', async (t) => {
  const { poll, post } = await withRule(t, service, { oncePer: undefined })
  for (let i = 0; i < 3; i += 1) await poll('failed-1')
  expect((await post()).status).toBe(503)
})

test('failureWhen: the repeated 500 of one job counts once', async (t) => {
  const { poll, post } = await withRule(t)
  for (let i = 0; i < 5; i += 1) expect((await poll('broken-1')).status).toBe(500)
  expect((await post()).status).toBe(200)
  for (const id of ['broken-2', 'broken-3', 'broken-4']) await poll(id)
  expect((await post()).status).toBe(503)
})

test('failureWhen: a body too large to read counts as nothing, also if large only when decompressed', async (t) => {
  const text = JSON.stringify({ text: 'x'.repeat(70_000), status: 'failed' })
  const large: Scene = (request, response) => {
    const isPacked = request.url?.endsWith('packed')
    response.writeHead(200, { ...JSON_TYPE, ...(isPacked ? { 'content-encoding': 'gzip' } : {}) })
    response.end(isPacked ? gzipSync(text) : text)
  }
  const { poll, seen } = await withRule(t, large)
  await poll('plain')
  await poll('packed')
  expect([await seen('completed'), await seen('failed')]).toEqual([0, 0])
})

test('failureWhen: any content coding in any chunks is read, and relayed unchanged', {
  timeout: 60_000,
}, async (t) => {
  const codings = {
    identity: (text: string) => Buffer.from(text),
    gzip: (text: string) => gzipSync(text),
    deflate: (text: string) => deflateSync(text),
    br: (text: string) => brotliCompressSync(text),
  }
  const sent = new Map<string, { body: Buffer; cuts: number[]; coding: string }>()
  const cutting: Scene = (request, response) => {
    const { body, cuts, coding } = sent.get(request.url?.split('/').at(-1) ?? '') ?? {
      body: Buffer.alloc(0),
      cuts: [],
      coding: '',
    }
    response.writeHead(200, { ...JSON_TYPE, ...(coding === 'identity' ? {} : { 'content-encoding': coding }) })
    const edges = [0, ...cuts.map((cut) => cut % (body.length + 1)).sort((a, b) => a - b), body.length]
    const parts = edges.slice(1).map((edge, i) => body.subarray(edges[i], edge))
    const write = () => {
      const part = parts.shift()
      if (part === undefined) return void response.end()
      if (part.length > 0) response.write(part)
      setImmediate(write)
    }
    write()
  }
  const { poll, seen } = await withRule(t, cutting, { in: ['failed'] })
  let n = 0
  let failed = 0
  const answers = fc.record({
    coding: fc.constantFrom(...(Object.keys(codings) as (keyof typeof codings)[])),
    cuts: fc.array(fc.nat(), { maxLength: 6 }),
    fails: fc.boolean(),
    note: fc.string({ unit: 'grapheme' }),
  })
  await fc.assert(
    fc.asyncProperty(answers, async ({ coding, cuts, fails, note }) => {
      n += 1
      // Never three failed jobs in a row: they would open the breaker.
      const status = fails && n % 3 === 0 ? 'failed' : 'completed'
      failed += status === 'failed' ? 1 : 0
      const body = codings[coding](JSON.stringify({ note, status }))
      sent.set(`${n}`, { body, cuts, coding })
      const answer = await poll(`${n}`)
      expect(answer.body.equals(body)).toBe(true)
      expect([await seen('failed'), await seen('completed')]).toEqual([failed, n - failed])
    }),
    { numRuns: 60, seed: 20_260_103 },
  )
  expect(failed).toBeGreaterThan(3)
})

test('failureWhen: a 404 or a body without a readable status is neither failed nor completed', async (t) => {
  const odd: Scene = (request, response) => {
    const kind = request.url?.split('/').at(-1)
    const text = '{"status":"failed"}'
    if (kind === 'text') response.writeHead(200, { 'content-type': 'text/plain' }).end(text)
    else if (kind === 'coding') response.writeHead(200, { ...JSON_TYPE, 'content-encoding': 'zstd' }).end(text)
    else if (kind === 'torn') response.writeHead(200, { ...JSON_TYPE, 'content-encoding': 'gzip' }).end(text)
    else if (kind === 'broken-json') response.writeHead(200, JSON_TYPE).end('{"status":"failed"')
    else if (kind === 'number') response.writeHead(200, JSON_TYPE).end('{"status":7}')
    else response.writeHead(404, JSON_TYPE).end(text)
  }
  const { poll, seen } = await withRule(t, odd)
  for (const kind of ['text', 'coding', 'torn', 'broken-json', 'number', 'missing']) await poll(kind)
  expect([await seen('failed'), await seen('completed')]).toEqual([0, 0])
})

test('failureWhen: the number of remembered ids is bounded', () => {
  const ids = new SeenIds()
  for (let i = 0; i < 10_000; i += 1) expect(ids.add(`${i}`)).toBe(true)
  expect([ids.add('0'), ids.add('10000'), ids.add('0'), ids.add('9999')]).toEqual([false, true, true, false])
})
