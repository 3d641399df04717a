import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatFaults } from '../../src/config/file/faults.ts'
import { loadConfig } from '../../src/config/load.ts'
import { answerText, answerTo } from '../../src/explain/answer.ts'
import { explain, type Question, Unanswerable } from '../../src/explain/explanation.ts'
import { textOf } from '../../src/explain/text.ts'
import { ask, problemOf } from '../support/client.ts'
import { breakwater, configFile } from '../support/command.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { FAULT_CODES, isRefusal, isUnacceptable } from '../../src/errors.ts'
import { startProxy } from '../support/proxy.ts'
import { scriptedUpstream } from '../support/scripted-upstream.ts'

const FILE = `job: { inputs: { shorts: { header: x-shorts, query: n, default: 10, min: 0, max: 100 }, ratio: { default: "16:9" } } }
timeouts:
  download: { base: 60s, per: { shorts: 4s }, times: { ratio: { "9:16": 1.5 } }, min: 30s, max: 1h }
defaults:
  retry: { backoff: { initial: 1s } }
upstreams:
  api:
    url: http://api:8000
    timeout: { total: 28s }
    routes:
      - match: POST /jobs
      - match: GET /jobs/{id}/file
        resume: true
        timeout: { attempt: { computed: download, divideBy: shorts } }
      - match: GET /jobs/{id}
        hold: { json: /status, in: [queued], upTo: 20s, every: 2s }
`

function explained(question: Partial<Question> & { path: string }, file = FILE) {
  const loaded = loadConfig(file, 'test.yaml', {})
  if (!loaded.ok) throw new Error(formatFaults(loaded.faults))
  return explain(loaded.config, loaded.origins, { upstream: 'api', method: 'GET', inputs: {}, ...question })
}

test('explain: names the route that a request matches, and why the routes above it do not match', () => {
  expect(explained({ path: '/jobs/7' }).route).toEqual({
    match: 'GET /jobs/{id}',
    line: 15,
    why: 'the first route that matches',
    passed: [
      { match: 'POST /jobs', line: 11, why: 'another method than GET' },
      { match: 'GET /jobs/{id}/file', line: 12, why: 'another path' },
    ],
    alike: 'GET /jobs/{id}',
  })
  const none = explained({ path: '/other', method: 'DELETE' }).route
  expect([none.match, none.line, none.passed.length]).toEqual([null, 7, 3])
})

test('explain: a route says which job its requests create or belong to', () => {
  const file = `timeouts: { total: { base: 60s } }
upstreams:
  api:
    url: http://api
    routes:
      - match: POST /jobs
        creates: { id: { header: location }, deadline: total }
      - match: GET /jobs/{id}
        job: id
`
  const saysOf = (method: string, path: string) =>
    explained({ method, path }, file)
      .policies.find(({ name }) => name === 'jobs')
      ?.parts.map(({ says }) => says)
  expect(saysOf('POST', '/jobs')).toEqual([
    'creates a job, named by field location of the response, with a deadline after the computed timeout total; abandoned after 10m without a request',
  ])
  expect(saysOf('GET', '/jobs/7')).toEqual(['belongs to the job that {id} names'])
})

test('explain: bounds of messages and connections, upgrades and TLS have their lines', () => {
  const file = `maxHead: 16KiB
bodies: { memory: 0B }
upstreams:
  api:
    url: https://api
    tls: { ca: ca.pem, cert: own.pem, key: own.key }
    timeout: { tunnel: 2h }
    routes:
      - match: GET /plain
        upgrades: []
`
  const linesOf = (path: string) => explained({ path }, file).wire.map(({ says, line }) => [says, line])
  expect(linesOf('/chat')).toEqual([
    ['10000 client connections to one listener; the next one gets 503', null],
    ['the head of a request or a response has 16KiB at most', 1],
    ['bodies that are kept for a retry take 0B of memory, all together', 2],
    ['and 1GiB of disk; others are sent once', null],
    ['a request without a body may switch to websocket', null],
    ['then it ends after 2h without a byte', 7],
    ['the authorities of ca.pem are trusted, too', 6],
    ['the client certificate of own.pem is shown, with the key of own.key', 6],
  ])
  expect(linesOf('/plain')[4]).toEqual([
    'no request switches to another protocol: offers are served as plain requests',
    10,
  ])
})

test('explain: a route by query, suffix or fields says why it does not match, and its conditions in words', () => {
  const file = `upstreams:
  api:
    url: http://api
    routes:
      - match: GET /job?id={id}
      - match: GET /job/{name}.mp4
      - match: { request: GET /job, headers: { x-target: 'T.Start*' } }
      - match: GET /job
        hold: { while: { not: { json: /done, in: [true] } }, upTo: 20s, every: 2s }
        failureWhen: { any: [{ status: [4xx] }, { json: /error, exists: true }], oncePer: { query: n } }
        completedWhen: { json: /done, in: [true] }
`
  const { route, policies } = explained({ path: '/job?n=1', headers: ['x-target', 'other'] }, file)
  expect([route.match, ...route.passed.map(({ why }) => why)]).toEqual([
    'GET /job',
    'its query has no id={id}',
    'another path',
    'its fields are not x-target: T.Start*',
  ])
  const saysOf = (name: string) => policies.find((one) => one.name === name)?.parts.map(({ says }) => says)
  expect(saysOf('hold')?.[0]).toBe(
    'answered when this no longer holds: not (/done is true), or after 20s; sooner for clients that leave sooner',
  )
  expect(saysOf('failureWhen')).toEqual([
    'a response is a failure when the status is 4xx, or /error is there, once for each n in the query',
    'a job is completed when /done is true: that ends a hold, and the row of failed jobs',
  ])
  expect(explained({ path: '/job?id=7' }, file).route.match).toBe('GET /job?id={id}')
  const byField = explained({ path: '/job', headers: ['X-Target', 'T.StartJob'] }, file)
  expect(byField.route.match).toBe('GET /job x-target: T.Start*')
})

test('explain: each time limit has the line that sets it, and a computed one its terms', () => {
  const { timeouts } = explained({ path: '/jobs/7/file?n=50', inputs: { ratio: '9:16' } })
  expect(timeouts.attempt).toMatchObject({
    ms: 7_800,
    line: 14,
    setting: 'upstreams.api.routes.1.timeout.attempt',
    terms: [
      'base 60 s',
      'shorts 50 · 4 s = 200 s',
      '× 1.5 (ratio 9:16)',
      'download = 390 s, in whole seconds',
      '÷ shorts 50',
    ],
  })
  expect(timeouts.total).toMatchObject({ ms: 28_000, line: 9, setting: 'upstreams.api.timeout.total' })
  expect(timeouts.connect).toMatchObject({ ms: 5_000, line: null })
})

test('explain: inputs come from the question, else from the query, else from the defaults', () => {
  const from = (path: string, inputs: Record<string, string>) =>
    explained({ path, inputs }).inputs.map(({ value, from }) => `${value} ${from}`)
  expect(from('/x?n=50', { shorts: '7' })).toEqual(['7 told', '16:9 default'])
  expect(from('/x?n=50', {})).toEqual(["50 the query's n", '16:9 default'])
  expect(from('/x?n=5000', {})).toEqual(['10 default', '16:9 default'])
})

test('explain: a question that it cannot answer is an error with the reason', () => {
  const why = (question: Partial<Question> & { path: string }) => () => explained(question)
  expect(why({ path: 'jobs' })).toThrow('a path begins with /')
  expect(why({ path: '/', upstream: 'none' })).toThrow('there is no upstream none; there are api')
  expect(why({ path: '/', inputs: { none: '1' } })).toThrow('there is no input none')
  expect(why({ path: '/', inputs: { shorts: 'many' } })).toThrow('many is no value for shorts')
})

test('explain: without an upstream, the first segment of the path names it, as on the shared listener', () => {
  const loaded = loadConfig('upstreams: { a: { url: http://a }, b: { url: http://b } }', 'test.yaml', {})
  if (!loaded.ok) throw new Error('faulty')
  const at = (path: string) => {
    const question = { upstream: undefined, method: 'GET', path, inputs: {} }
    const { upstream, request } = explain(loaded.config, loaded.origins, question)
    return `${upstream.name} ${request.path}`
  }
  expect([at('/b/jobs?x=1'), at('/a'), at('/b?x')]).toEqual(['b /jobs?x=1', 'a /', 'b /?x'])
  expect(() => at('/c')).toThrow('name the upstream')
})

test('explain: every question is answered or throws Unanswerable', () => {
  const shipped = loadConfig(readFileSync(join(import.meta.dirname, '../../proxy.yaml'), 'utf8'), 'proxy.yaml', {})
  if (!shipped.ok) throw new Error('faulty')
  const text = fc.oneof(fc.string(), fc.string({ unit: 'binary' }))
  const question = fc.record({
    upstream: fc.option(fc.oneof(text, fc.constantFrom('youtube-search', '__proto__')), { nil: undefined }),
    method: fc.oneof(text, fc.constantFrom('GET', 'POST')),
    path: fc.oneof(
      text,
      text.map((rest) => `/video-downloader/${rest}`),
    ),
    inputs: fc.oneof(
      fc.constant({}),
      fc.dictionary(fc.constantFrom('shorts_count', 'aspect_ratio', 'constructor'), text, { maxKeys: 2 }),
    ),
  })
  let answered = 0
  fc.assert(
    fc.property(question, (asked) => {
      try {
        const answer = answerTo(shipped.config, shipped.origins, asked)
        expect(answerText(answer)).toContain('refused' in answer ? 'nothing reaches an upstream' : 'best and worst')
        answered += 1
      } catch (error) {
        expect(error).toBeInstanceOf(Unanswerable)
      }
    }),
    { numRuns: 500, seed: 20_261_125 },
  )
  expect(answered).toBeGreaterThan(50)
})

test('explain: lists every policy in force, in the order of the pipeline', () => {
  const settings = `rate: { requests: 9, per: 1s }, concurrency: { adaptive: true }, collapse: true, hedge: { after: p95, max: 1 },
    timeout: { attempt: { observed: p99, times: 3, min: 1s, max: 9s } }, breaker: { slowCalls: { slowerThan: 5s } }`
  const route = `{ match: "GET /jobs/{id}", resume: true, hold: { json: /s, in: [q], upTo: 9s, every: 2s }, failureWhen: { json: /s, in: [f], oncePer: id } }`
  const file = `upstreams: { api: { urls: [http://a, http://b], ${settings}, routes: [${route}] } }`
  const { policies, timeouts, bounds } = explained({ path: '/jobs/7' }, file)
  expect(policies.map(({ name }) => name)).toEqual([
    'deadline',
    'hold',
    'collapse',
    'resume',
    'retry',
    'retry-after',
    'patience',
    'rate',
    'concurrency',
    'hedge',
    'balance',
    'connections',
    'breaker',
    'failureWhen',
  ])
  expect(timeouts.attempt).toMatchObject({
    ms: 9_000,
    terms: [
      '9s at most, and while little is known; then p99 of what attempts have taken of late, times 3, at least 1s',
    ],
  })
  expect([bounds.upstream.bestCalls, bounds.upstream.worstCalls]).toEqual([0, 14])
})

test('explain: tells what happens to header fields and URLs, without a value', () => {
  const file = `upstreams:
  api:
    url: https://api.example.com
    headers:
      request:
        set: { authorization: hunter2, x-key: { file: /run/secrets/key } }
        remove: [cookie]
    routes:
      - match: GET /jobs
        host: preserve
        via: true
        rewrite: { json: [/url] }
`
  const told = explained({ path: '/jobs' }, file)
  expect(told.fields.map(({ says, line }) => `${line} ${says}`)).toEqual([
    "null no X-Forwarded-For, -Proto or -Host is added; the client's own stay",
    '11 Via is added, in both directions',
    "10 Host is the client's",
    '7 cookie removed from the request',
    '6 authorization, x-key (from /run/secrets/key) set in the request',
    '12 URLs of the upstream in response fields become those of the sidecar',
    '12 also in JSON up to 64KiB, at /url',
  ])
  expect(textOf(told)).toContain('authorization, x-key (from /run/secrets/key) set in the request [line 6]')
  expect(JSON.stringify(told)).not.toContain('hunter2')
})

test('explain: a request that may not be repeated gets the reason, and at most one call', () => {
  const { retries, bounds } = explained({ path: '/jobs', method: 'POST' })
  expect([retries.isRepeatable, retries.whenTimedOut.length, bounds.upstream.worstCalls]).toEqual([false, 1, 1])
  expect(retries.why.says).toContain('POST is not in retry.methods')
})

test('explain: the proxy makes the attempts that explain plans, at the planned times', async (t) => {
  const clock = fakeClock()
  const upstream = await scriptedUpstream(t, clock, Array(9).fill({ status: 503, body: 'no' }))
  const proxy = await startProxy(t, {
    clock,
    upstreams: {
      api: {
        url: upstream.origin,
        timeout: { total: '20s' },
        breaker: { consecutiveFailures: 99 },
        retry: { attempts: 9, backoff: { initial: '1s', factor: 3, max: '6s', jitter: 0 } },
      },
    },
  })
  const said = await ask(`${proxy.controlUrl}/v1/explain?path=/jobs`)
  const { retries, bounds } = JSON.parse(said.body.toString())
  const planned: number[] = retries.whenRefused.map(({ plannedMs }: { plannedMs: number }) => plannedMs)
  const answer = ask(`${proxy.url}/api/jobs`)
  for (const [k, at] of planned.entries()) if (k > 0) await clock.elapse(at - (planned[k - 1] ?? 0))
  expect((await answer).headers['x-breakwater-attempts']).toBe(String(planned.length))
  expect(upstream.arrivals.map(({ at }) => at)).toEqual(planned)
  expect([planned, bounds.upstream.worstCalls]).toEqual([[0, 1_000, 4_000, 10_000, 16_000, 19_000], 6])
})

test('GET /v1/explain answers the same as the command, as JSON and as text', async (t) => {
  const free = 'listen: 127.0.0.1:0\ncontrol: { listen: 127.0.0.1:0 }\ncheckpoints: { store: "memory:" }\n'
  const file = configFile(t, `${free}${FILE}`)
  const command = (...args: string[]) => breakwater(t, ['explain', ...args, '--config', file]).ended
  const json = await command('/jobs/7/file', '--input', 'shorts=5', '--json')
  const text = await command('get', '/jobs/7/file', '--input', 'shorts=5')
  const running = breakwater(t, ['run', '--config', file])
  const [, control] = await running.until(/"name":"control.listen","address":"([^"]+)"/)
  const url = `http://${control}/v1/explain?upstream=api&path=%2Fjobs%2F7%2Ffile&shorts=5`
  const { now, ...explanation } = JSON.parse((await ask(url)).body.toString())
  expect([explanation, now.length]).toEqual([JSON.parse(json.stdout), 2])
  const asText = await ask(url, { headers: { accept: 'text/plain' } })
  expect([asText.headers['content-type'], asText.body.toString().replace(/\nat this moment.*/s, '')]).toEqual([
    'text/plain; charset=utf-8',
    text.stdout,
  ])
  const wrong = await ask(`http://${control}/v1/explain?upstream=none&path=/`)
  expect([wrong.status, problemOf(wrong).detail]).toEqual([400, 'there is no upstream none; there are api'])
  expect((await command('/', '--upstream', 'none')).code).toBe(2)
  expect((await command('/', '--input', 'shorts')).code).toBe(2)
})

test('explain: the text shows the line of every setting', () => {
  expect(textOf(explained({ path: '/jobs/7' }))).toMatchInlineSnapshot(`
    "GET /jobs/7 to api (test.yaml)
      upstream      http://api:8000 [line 7]
      route         GET /jobs/{id} [line 15]: the first route that matches
                    not POST /jobs [line 11]: another method than GET
                    not GET /jobs/{id}/file [line 12]: another path
      inputs        shorts 10 (default)
                    ratio 16:9 (default)

    time limits
      connect       5s to connect [default]
      attempt       12s for one attempt, from the end of its request to its response head, where another one can follow it [default]
      total         28s for all of it, from the end of the request to the response head that is relayed [line 9]
      idle          1m without progress of a body [default]
      client        1m5s until the client gives up [default]

    retries
      may be        yes: GET is safe to repeat [default]
                    5 attempts at most, the first one included [default]
                    after connect-failure, reset, timeout, 502, 503, 504, 429 [default]
      start after   attempt  where each fails at once   where each times out
                    1        at once                    at once
                    2        1s (900ms to 1.1s)         13s (12.9s to 13.1s)
                    3        3s (2.7s to 3.3s)          -
                    4        7s (6.3s to 7.7s)          -
                    5        15s (13.5s to 16.5s)       -
                    what would start after 28s does not; the last that fits may take all the time left

    policies, in the order in which a request meets them
      deadline      28s for all of it, from the end of the request to the response head that is relayed [line 9]
                    less where x-request-timeout or the time left of a registered job is less [line 9]
                    1m5s until the client gives up [default]
      hold          answered when /status is none of queued, or after 20s; sooner for clients that leave sooner [line 16]
                    asks the upstream every 2s, once for all who ask the same [line 16]
      retry         waits 1s before the second attempt [line 5]
                    then 2 times as long each time [default]
                    up to 1m [default]
                    give or take 10 % [default]
                    or as long as Retry-After says, if longer [default]
                    retries are 20 % of requests at most [default]
                    and 3 a second in any case [default]
                    1MiB of a request body is kept in memory to be sent again [default]
                    256MiB more on disk [default]
                    an answer of up to 64KiB by its Content-Length is repeated, too, when its body breaks off or stalls [default]
      retry-after   after a 429 or 503 with Retry-After, calls of the same path and credentials wait for its end (60s at most) as far as their deadline allows, 256 of them [default]
      patience      waits up to 5s for an open breaker that becomes half open by then; is rejected at once otherwise [default]
      concurrency   64 at once [default]
                    256 more wait [default]
                    up to 5s; the rest gets 503 [default]
      connections   64 connections [default]
                    closed after 4s without use [default]
      breaker       shared by the routes of the upstream [default]
                    opens after 5 failures in a row [default]
                    or over 50 % failures of 20 or more attempts in 30s, unless a path that is called often stays below that [default]
                    failures are 5xx, and no or no whole answer; no failures are 429, and 503 with a Retry-After up to 4s [default]
                    then rejects for 1s [default]
                    twice as long each time, up to 4s [default]
                    then lets 3 through at once [default]
                    closes after 1 that succeed [default]

    answers that may come in place of the upstream's
      503 local_limit      where its connections or file descriptors are used up [default]
      504 job_deadline     for a registered job whose deadline has passed [line 1]
      504 client_deadline  after the time that the client allows, in x-request-timeout [line 9]
      503 breaker_open     while the breaker is open, 1s at first [default]
      503 breaker_forced   while an operator holds the breaker open [default]
      503 queue_full       with 64 requests under way and 256 waiting [default]
      503 queue_timeout    after 5s in the queue [default]
      504 connect_timeout  where connecting takes 5s [default]
      504 total_timeout    after 28s without an answer [line 9]
      and 400, 408, 414, 417, 431, 501 or 505 to a message that is not acceptable

    header fields and URLs
      fields        X-Forwarded-For, -Proto and -Host are added [default]
                    Via is added, in both directions [default]
                    Host is the upstream's [default]
                    URLs of the upstream in response fields become those of the sidecar [default]

    messages and connections
      wire          10000 client connections to one listener; the next one gets 503 [default]
                    the head of a request or a response has 64KiB at most [default]
                    bodies that are kept for a retry take 64MiB of memory, all together [default]
                    and 1GiB of disk; others are sent once [default]
                    a request without a body may switch to websocket [default]
                    then it ends after 1h without a byte [default]

    best and worst
      client        best: the upstream's own answer as soon as it comes, held until the status changes; while the breaker is open, 503 at once or after 5s, with Retry-After up to 4s
                    worst: 504 after 28s, or the last answer that there was; a body after that may pause 1m at most
      upstream      best: no call, where another that is the same is under way; else 1
                    worst: 15 calls: 5 attempts within total, as long as the budget has retries to give, 11 polls of a hold, which share those retries
    "
  `)
})

test.each([
  [{ method: 'TRACE', path: '/x' }, 405, 'method_refused'],
  [{ path: '/../b' }, 400, 'bad_target'],
  [{ path: '/a/%2e%2e/..%2fb' }, 400, 'bad_target'],
  [{ upstream: undefined, path: '/api/../b' }, 400, 'bad_target'],
])('explain: %j is refused before it is sent', (question, status, reason) => {
  const loaded = loadConfig(FILE, 'test.yaml', {})
  if (!loaded.ok) throw new Error(formatFaults(loaded.faults))
  const answer = answerTo(loaded.config, loaded.origins, { upstream: 'api', method: 'GET', inputs: {}, ...question })
  expect(answer).toMatchObject({ refused: { status, reason } })
  expect(answerText(answer)).toContain(`${status} (${reason})`)
})

test("explain: tells which answers may come in place of the upstream's, with the line of each", () => {
  const file =
    'upstreams:\n  api:\n    url: http://api\n    rate: { requests: 5, per: 1s }\n    concurrency: { queue: 3 }\n    breaker: { consecutiveFailures: false, failureRate: false }\n'
  const { refusals } = explained({ path: '/x' }, file)
  expect(
    refusals.filter(({ reason }) => !isUnacceptable(reason)).map(({ status, reason }) => `${status} ${reason}`),
  ).toEqual([
    '503 local_limit',
    '504 job_deadline',
    '504 client_deadline',
    '503 breaker_forced',
    '503 rate',
    '503 queue_full',
    '503 queue_timeout',
    '504 connect_timeout',
    '504 total_timeout',
  ])
  expect(refusals.find(({ reason }) => reason === 'queue_full')).toMatchObject({
    says: 'with 64 requests under way and 3 waiting',
    line: 5,
  })
  expect(explained({ path: '/x' }).refusals.map(({ reason }) => reason)).toContain('breaker_open')
})

test('explain: every way in which the sidecar refuses a request is told', () => {
  const file = 'maxHead: 8KiB\nupstreams:\n  api: { url: http://api, rate: { requests: 5, per: 1s } }\n'
  const { refusals } = explained({ path: '/x' }, file)
  const told = refusals.map(({ reason }) => reason)
  // Told at once of a request to which they apply: see above.
  const byTarget = ['bad_target', 'unknown_upstream', 'method_refused']
  const meant = FAULT_CODES.filter((code) => isRefusal(code) || isUnacceptable(code))
  expect(meant.filter((code) => !told.includes(code) && !byTarget.includes(code))).toEqual([])
  expect(refusals.find(({ reason }) => reason === 'head_too_large')).toMatchObject({
    status: 431,
    setting: 'maxHead',
    line: 1,
  })
})

test('GET /v1/explain: tells of the state of this moment', async (t) => {
  const clock = fakeClock()
  const upstream = await scriptedUpstream(t, clock, ['reset'])
  const breaker = { consecutiveFailures: 1, openFor: '30s', patience: '0ms' }
  const upstreams = { api: { url: upstream.origin, breaker, retry: { attempts: 1 } } }
  const proxy = await startProxy(t, { clock, upstreams })
  const now = async (query = '') => {
    const { body } = await ask(`${proxy.controlUrl}/v1/explain?path=/api/x${query}`)
    return JSON.parse(body.toString())
  }
  expect((await now()).now).toEqual([
    { about: 'breaker', says: 'closed, 0 failures in a row', answer: null },
    { about: 'concurrency', says: '0 of 64 under way, 0 of 256 waiting', answer: null },
  ])
  expect((await ask(`${proxy.url}/api/x`)).status).toBe(502)
  const after = await now('&job=unknown')
  expect(after.now[0]).toMatchObject({ says: expect.stringContaining('open for another'), answer: '503 breaker_open' })
  expect(after.now.at(-1)).toMatchObject({ about: 'job', answer: null })
  expect(after.fields.length).toBeGreaterThan(0)
  const text = await ask(`${proxy.controlUrl}/v1/explain?path=/api/x`, { headers: { accept: 'text/plain' } })
  expect(text.body.toString()).toMatch(/at this moment\n {2}breaker: open for another .* -> 503 breaker_open\n/)
})

test('GET /v1/explain: tells when the rate lets the next call go, and how many wait', async (t) => {
  const clock = fakeClock()
  const upstream = await scriptedUpstream(t, clock, [{ body: 'ok' }])
  const rate = { requests: 2, per: '10s', burst: 1, queueTimeout: '12s' }
  const proxy = await startProxy(t, { clock, upstreams: { api: { url: upstream.origin, rate } } })
  const now = async () => {
    const { body } = await ask(`${proxy.controlUrl}/v1/explain?path=/api/x`)
    return JSON.parse(body.toString()).now.slice(1)
  }
  const free = { about: 'concurrency', says: '0 of 64 under way, 0 of 256 waiting', answer: null }
  expect(await now()).toEqual([{ about: 'rate', says: '0 waiting: it would be let go at once', answer: null }, free])
  await ask(`${proxy.url}/api/x`)
  expect((await now())[0].says).toBe('0 waiting: it would be let go in 5s')
  const waiting = [ask(`${proxy.url}/api/x`), ask(`${proxy.url}/api/x`)]
  await expect.poll(async () => (await now())[0].says).toBe('2 waiting: it would be let go in 15s')
  expect(await now()).toEqual([expect.objectContaining({ answer: '503 rate' }), free])
  await clock.advance(10_000)
  expect((await Promise.all(waiting)).map(({ status }) => status)).toEqual([200, 200])
})

test('GET /v1/explain, /v1/upstreams: tell of the Retry-After that calls of the same paths wait for', async (t) => {
  const clock = fakeClock()
  const upstream = await scriptedUpstream(t, clock, [{ status: 429, headers: { 'retry-after': '30' } }, {}])
  const upstreams = { api: { url: upstream.origin, retry: { attempts: 1 } } }
  const proxy = await startProxy(t, { clock, upstreams })
  const pausesOf = async (path: string): Promise<string[]> => {
    const { body } = await ask(`${proxy.controlUrl}/v1/explain?path=${path}`)
    const { now }: { now: { about: string; says: string }[] } = JSON.parse(body.toString())
    return now.filter(({ about }) => about === 'Retry-After').map(({ says }) => says)
  }
  const listed = async () =>
    JSON.parse((await ask(`${proxy.controlUrl}/v1/upstreams`)).body.toString()).upstreams[0].pauses
  expect(await pausesOf('/api/jobs/8')).toEqual([])
  expect((await ask(`${proxy.url}/api/jobs/7`)).status).toBe(429)
  await clock.advance(10_000)
  const waiting = ask(`${proxy.url}/api/jobs/8`)
  await expect.poll(listed).toEqual([{ paths: 'GET /jobs', ends_in_s: 20, waiting: 1 }])
  expect(await pausesOf('/api/jobs/8')).toEqual([
    'the upstream asked to be left alone for another 20s: requests wait as far as their deadline allows (1 waiting)',
  ])
  expect(await pausesOf('/api/other')).toEqual([])
  await clock.advance(20_000)
  expect((await waiting).status).toBe(200)
  expect(await listed()).toEqual([])
})
