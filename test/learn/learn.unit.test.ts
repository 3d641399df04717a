import fc from 'fast-check'
import { expect, test } from 'vitest'
import { recordingOfHar } from '../../src/learn/from-har.ts'
import { recordingOfLog } from '../../src/learn/from-log.ts'
import { proposalFor } from '../../src/learn/proposal.ts'

type Entry = {
  readonly at: number
  readonly request: string
  readonly status?: number
  readonly body?: unknown
  readonly fields?: Readonly<Record<string, string>>
  readonly wait?: number
  readonly size?: number
}

const pairs = (fields: Readonly<Record<string, string>>) =>
  Object.entries(fields).map(([name, value]) => ({ name, value }))

/** @param entries `request` is METHOD and URL; times in seconds. */
const har = (entries: readonly Entry[]) => ({
  log: {
    version: '1.2',
    entries: entries.map(({ at, request, status = 200, body, fields = {}, wait = 0.05, size }) => {
      const [method, url] = request.split(' ')
      const text = body === undefined ? undefined : JSON.stringify(body)
      return {
        startedDateTime: new Date(at * 1000).toISOString(),
        time: wait * 1000 + 1,
        request: { method, url, headers: [], queryString: [] },
        response: {
          status,
          headers: pairs(fields),
          content: {
            size: size ?? text?.length ?? 0,
            mimeType: text === undefined ? 'video/mp4' : 'application/json',
            text,
          },
        },
        timings: { blocked: -1, send: 0, wait: wait * 1000, receive: 1 },
      }
    }),
  },
})

function learned(entries: readonly Entry[]) {
  const recording = recordingOfHar(har(entries))
  if (recording === undefined) throw new Error('no HAR')
  const { yaml, doubts } = proposalFor(recording, 'api.har')
  expect(doubts).toBe('')
  return yaml.replaceAll(/(\S) {2,}#/g, '$1 #')
}

const API = 'https://api.speech.example'

test('learn: a job API with ids in the path', () => {
  const yaml = learned([
    { at: 0, request: `POST ${API}/v2/transcript`, body: { id: 'a1b2c3d4-0001', status: 'accepted' } },
    { at: 1, request: `GET ${API}/v2/transcript/a1b2c3d4-0001`, body: { id: 'a1b2c3d4-0001', status: 'queued' } },
    { at: 4, request: `GET ${API}/v2/transcript/a1b2c3d4-0001`, body: { id: 'a1b2c3d4-0001', status: 'processing' } },
    { at: 7, request: `GET ${API}/v2/transcript/a1b2c3d4-0001`, body: { id: 'a1b2c3d4-0001', status: 'completed' } },
    { at: 8, request: `POST ${API}/v2/transcript`, body: { id: 'a1b2c3d4-0002', status: 'queued' } },
    { at: 9, request: `GET ${API}/v2/transcript/a1b2c3d4-0002`, body: { id: 'a1b2c3d4-0002', status: 'queued' } },
    { at: 12, request: `GET ${API}/v2/transcript/a1b2c3d4-0002`, body: { id: 'a1b2c3d4-0002', status: 'error' } },
    { at: 13, request: `GET ${API}/v2/transcript/list`, body: { transcripts: [] } },
    {
      at: 14,
      request: `GET ${API}/v2/transcript/a1b2c3d4-0001/audio.mp4`,
      size: 3_000_000,
      fields: { ETag: '"x"', 'Accept-Ranges': 'bytes' },
    },
  ])
  expect(yaml).toBe(`# Proposed from 9 requests of api.har. Read the reasons, then: breakwater check --strict
upstreams:
  speech:
    url: https://api.speech.example
    routes:
      - match: POST /v2/transcript # seen 2 times
        creates: { id: { json: /id }, deadline: 1m } # 2 jobs of it polled; the longest took 7s
        idempotent: false # true only where a repeated request finds what the first one made
      - match: GET /v2/transcript/list # no job: stands above a route that would take it
      - match: GET /v2/transcript/{id} # seen 5 times
        job: id # the id of the job that is polled
        hold: { while: { json: /status, in: [accepted, queued, processing] }, upTo: 20s, every: 5s } # 2 jobs, polled every 3s or so
        failureWhen: { json: /status, in: [error], oncePer: id } # a failed job counts as a failure of the upstream, once
        completedWhen: { json: /status, in: [completed] } # what the last polls said
      - match: GET /v2/transcript/{id}/audio.mp4 # seen once
        job: id # has the id of a job that was polled
        resume: true # up to 2.9MiB; strong ETag, byte ranges
`)
})

test('learn: an id that is not the last segment of a URL, or stands in its query', () => {
  const poll = (at: number, url: string, state: string) => ({ at, request: `GET ${API}${url}`, body: { state } })
  const inPath = learned([
    { at: 0, request: `POST ${API}/renders`, status: 202, fields: { Location: '/renders/7129/status' } },
    ...['waiting', 'drawing', 'ready'].map((state, i) => poll(i + 1, '/renders/7129/status', state)),
  ])
  expect(inPath).toContain('creates: { id: { header: location, match: "/renders/{id}/status" }, deadline: 1m }')
  expect(inPath).toContain('job: id')
  const inQuery = learned([
    { at: 0, request: `POST ${API}/renders`, body: { links: { self: `${API}/status?v=1&job_id=7129` } } },
    ...['waiting', 'drawing', 'ready'].map((state, i) => poll(i + 1, '/status?v=1&job_id=7129', state)),
  ])
  expect(inQuery).toContain('creates: { id: { json: /links/self, match: "/status?job_id={id}" }, deadline: 1m }')
})

test('learn: 202 with Location until 200, without a word in the body', () => {
  const yaml = learned([
    { at: 0, request: `POST ${API}/analyze`, status: 202, fields: { 'Operation-Location': `${API}/results/77?v=1` } },
    { at: 1, request: `GET ${API}/results/77?v=1`, status: 202 },
    { at: 3, request: `GET ${API}/results/77?v=1`, status: 202 },
    { at: 5, request: `GET ${API}/results/77?v=1`, status: 200, body: { text: 'hello' } },
  ])
  expect(yaml).toContain('creates: { id: { header: operation-location }, deadline: 1m }')
  expect(yaml).toContain('- match: GET /results/{id}')
  expect(yaml).toContain('hold: { while: { status: [202] }, upTo: 20s, every: 2s }')
})

test('learn: the id in the query, a state that is true or false, a slow synchronous POST, a limit', () => {
  const yaml = learned([
    { at: 0, request: 'POST http://127.0.0.1:8006/search', body: { job: { id: 7 }, done: null } },
    { at: 1, request: 'GET http://127.0.0.1:8006/query-job?job_id=7', body: { done: false, progress: 0.1 } },
    { at: 2, request: 'GET http://127.0.0.1:8006/query-job?job_id=7', status: 429, body: { detail: 'slow down' } },
    { at: 3, request: 'GET http://127.0.0.1:8006/query-job?job_id=7', body: { done: true, progress: 1 } },
    { at: 4, request: 'POST http://127.0.0.1:8006/convert', body: { ok: 1 }, wait: 70 },
  ])
  expect(yaml).toContain('127-0-0-1:')
  expect(yaml).toContain('# rate: { requests: 4, per: 1m } # 1 answer of 429;')
  expect(yaml).toContain('creates: { id: { json: /job/id }')
  expect(yaml).toContain('- match: GET /query-job?job_id={id}')
  expect(yaml).toContain('job: { query: job_id }')
  expect(yaml).toContain('hold: { while: { json: /done, in: [false] }, upTo: 20s, every: 1s }')
  expect(yaml).toContain('# failureWhen: { json: /done, in: [failed], oncePer: { query: job_id } }')
  expect(yaml).toContain('completedWhen: { json: /done, in: [true] }')
  expect(yaml).toContain('timeout: { attempt: 3m, total: 3m } # the slowest of 1 began to answer after 1m10s')
  expect(yaml).toContain('clientTimeout: 5m')
})

test('learn: ids that differ by a verb or a suffix, and names that nobody generated', () => {
  const clips = ['ant', 'bee', 'cat', 'dog', 'elk', 'fox', 'gnu', 'hen']
  const yaml = learned([
    ...clips.map((name, i) => ({ at: i, request: `GET ${API}/clips/${name}/meta`, body: {}, wait: 20 })),
    { at: 20, request: `POST ${API}/models/m-12345678:cancel`, body: {}, wait: 20 },
    { at: 21, request: `GET ${API}/files/9f8e7d6c5b.mp4`, size: 5_000_000, fields: { ETag: 'W/"x"' } },
  ])
  expect(yaml).toContain('- match: GET /clips/{id}/meta # seen 8 times')
  expect(yaml).toContain('- match: POST /models/{id}:cancel # seen once')
  expect(yaml).toContain('- match: GET /files/{id}.mp4 # seen once')
  expect(yaml).toContain('# resume: true # up to 4.8MiB, but it has no strong ETag')
})

const line = (at: number, fields: object) =>
  JSON.stringify({
    time: new Date(at * 1000).toISOString(),
    msg: 'request',
    upstream: 'web',
    status: 200,
    total_ms: 20,
    ...fields,
  })

test('learn: an access log tells routes and times', async () => {
  async function* lines() {
    yield line(1, { method: 'POST', path: '/web/jobs', first_byte_ms: 9000 })
    for (const at of [2, 4, 6]) yield line(at, { method: 'GET', path: '/web/jobs/81', first_byte_ms: 5 })
    yield line(7, { method: 'GET', path: '/jobs/81/file', first_byte_ms: 5, bytes_out: 30_000_000 })
    yield '{"msg":"request","time":'
    yield '{"msg":"breaker open"}'
  }
  const recording = await recordingOfLog(lines())
  expect(recording.unread).toBe(1)
  const { yaml, doubts } = proposalFor(recording, 'access.jsonl')
  expect(doubts).toBe('')
  expect(
    yaml.replaceAll(/(\S) {2,}#/g, '$1 #'),
  ).toBe(`# Proposed from 5 requests of access.jsonl. Read the reasons, then: breakwater check --strict
# An access log has no bodies: ids, states and failed jobs are learned from a HAR (--har).
upstreams:
  web:
    url: http://web # its address, which an access log does not have
    routes:
      - match: POST /jobs # seen once
        idempotent: false # true only where a repeated request finds what the first one made
        timeout: { attempt: 20s, total: 1m } # the slowest of 1 began to answer after 9s
      - match: GET /jobs/{id} # seen 3 times
        # hold: { while: { json: /status, in: [queued, processing] }, upTo: 20s, every: 2s } # 1 job, polled every 2s or so; what do their reports say?
      - match: GET /jobs/{id}/file # seen once
        # resume: true # up to 28.6MiB; needs a strong ETag and byte ranges
`)
})

test('learn: a path that begins with the name of its upstream keeps it where its route says so', async () => {
  async function* lines() {
    const seen = { method: 'GET', upstream: 'jobs', route: 'GET /jobs/{id}', first_byte_ms: 9000 }
    yield line(1, { ...seen, path: '/jobs/81' })
    yield line(2, { ...seen, path: '/jobs/jobs/82' })
  }
  const { exchanges } = await recordingOfLog(lines())
  expect(exchanges.map(({ path }) => path)).toEqual(['/jobs/81', '/jobs/82'])
})

test('learn: a document that is no HTTP Archive', () => {
  for (const document of [null, [], {}, { log: {} }, 'x']) expect(recordingOfHar(document)).toBeUndefined()
  expect(recordingOfHar({ log: { entries: [1, {}, { request: { url: 'nope' }, response: {} }] } })).toMatchObject({
    exchanges: [],
    unread: 3,
  })
})

test('learn: a route with a suffix stands above the one that would take its requests', () => {
  const seen = ['/81', '/81.mp4'].map((path) => ({ at: 1, request: `GET ${API}${path}`, wait: 50, size: 5_000_000 }))
  const yaml = learned(seen)
  expect(yaml.indexOf('GET /{id}.mp4')).toBeLessThan(yaml.indexOf('GET /{id} '))
  expect(
    learned([...seen, { at: 2, request: `POST ${API}/jobs/81`, wait: 50 }, { at: 3, request: `POST ${API}/jobs/all` }]),
  ).toContain('POST /jobs/all # no job')
})

test('learn: whatever was recorded, the proposal is clean', () => {
  const segment = fc.constantFrom(
    'jobs',
    'v1',
    '81',
    'a1b2c3d4-77',
    'x:cancel',
    '81.mp4',
    'a{b}',
    '*',
    '%20',
    'files',
    '',
  )
  const state = fc.constantFrom<unknown>('queued', 'done', 'failed', 'true', '7', null, 3, true, false, 'a: b #', '')
  const entry = fc.record({
    at: fc.nat(100),
    request: fc
      .tuple(
        fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'QUERY'),
        fc.array(segment, { maxLength: 4 }),
        fc.constantFrom('', '?job_id=7', '?id=8&x={y}'),
      )
      .map(([method, path, query]) => `${method} http://api.example:81/${path.join('/')}${query}`),
    status: fc.constantFrom(200, 201, 202, 404, 429, 503),
    body: fc.option(fc.dictionary(fc.constantFrom('id', 'status', 'a/b', 'x y'), state), { nil: undefined }),
    wait: fc.constantFrom(0.01, 3, 50, 4000),
    size: fc.constantFrom(10, 5_000_000),
  })
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 30 }), (entries) => {
      const recording = recordingOfHar(har(entries))
      if (recording === undefined || recording.exchanges.length === 0) return
      expect(proposalFor(recording, 'x').doubts).toBe('')
    }),
    { numRuns: 150 },
  )
})
