import assert from 'node:assert/strict'
import { test } from 'vitest'
import { createLog, type LogSettings } from '../../../src/control/log/log.ts'
import type { Event } from '../../../src/events.ts'
import { fakeClock } from '../../support/fake-clock.ts'
import { attemptEvent, breakerEvent, JOBS, requestEvent } from '../samples.ts'

/** The text that the log writes for these events. */
function textOf(events: readonly Event[], settings: Partial<LogSettings> = {}): string {
  let text = ''
  const write = (line: string) => {
    text += line
  }
  const clock = fakeClock()
  const log = createLog({ level: 'debug', access: true, service: 'make-video', ...settings }, clock, { write })
  for (const event of events) log.record(event)
  return text
}

/** The parsed log lines for these events, without `time`. */
function linesOf(events: readonly Event[], settings: Partial<LogSettings> = {}): object[] {
  const lines = textOf(events, settings).split('\n').slice(0, -1)
  return lines.map((line) => {
    const { time, ...rest } = JSON.parse(line)
    assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
    return rest
  })
}

test.for(['breakerMs', 'retryAfterMs'] as const)(
  'log: an attempt after a wait (%s) has its start in the history',
  (wait) => {
    const attempt = {
      ms: 5,
      headMs: 5,
      outcome: 200,
      early: false,
      endpoint: undefined,
      job: undefined,
      retryAfterMs: 0,
      brokeMs: undefined,
      span: undefined,
    }
    const waited = requestEvent({ [wait]: 2_000, history: [{ ...attempt, startedAt: 2_000 }] })
    const atOnce = requestEvent({ history: [{ ...attempt, startedAt: 0 }] })
    const histories = linesOf([waited, atOnce]).map((line) => ('history' in line ? line.history : undefined))
    assert.deepEqual(histories, [[{ at_ms: 2_000, ms: 5, outcome: '200' }], undefined])
  },
)

test('log: a request has one line with its known fields and no empty ones', () => {
  const full = requestEvent({
    status: 504,
    reason: 'total_timeout',
    attempts: 3,
    queueMs: 1.23456,
    backoffMs: 6_000,
    connectMs: 0.1 + 0.2,
    firstByteMs: 25_000.0004,
    totalMs: 25_001.9996,
    bytesIn: 17,
    bytesOut: 230,
  })
  assert.deepEqual(linesOf([full, requestEvent({ firstByteMs: undefined, ref: undefined })]), [
    {
      level: 'warn',
      service: 'make-video',
      upstream: 'youtube-search',
      route: 'GET /jobs/{id}',
      method: 'GET',
      path: '/jobs/42',
      status: 504,
      attempts: 3,
      reason: 'total_timeout',
      queue_ms: 1.235,
      backoff_ms: 6_000,
      connect_ms: 0.3,
      first_byte_ms: 25_000,
      total_ms: 25_002,
      bytes_in: 17,
      bytes_out: 230,
      request_id: '6f1c3b52-7d0e-4c55-9f0e-2f8a55d1a001',
      msg: 'request',
    },
    {
      level: 'info',
      service: 'make-video',
      method: 'GET',
      path: '/jobs/42',
      status: 200,
      attempts: 1,
      queue_ms: 0,
      backoff_ms: 0,
      connect_ms: 0,
      total_ms: 40,
      bytes_in: 0,
      bytes_out: 0,
      request_id: '6f1c3b52-7d0e-4c55-9f0e-2f8a55d1a001',
      msg: 'request',
    },
  ])
})

test('log: a request is logged as a warning only if the sidecar itself answered with a 5xx', () => {
  const requests = [
    requestEvent({ status: 503, reason: 'breaker_open' }),
    requestEvent({ status: 503 }),
    requestEvent({ status: 404, reason: 'unknown_upstream' }),
  ]
  const levels = (lines: object[]) => lines.map((line) => 'level' in line && line.level)
  assert.deepEqual(levels(linesOf(requests)), ['warn', 'info', 'info'])
  assert.deepEqual(levels(linesOf(requests, { level: 'warn' })), ['warn'])
})

test('log.access: false omits the lines of requests and no others', () => {
  const events = [requestEvent({ status: 503, reason: 'breaker_open' }), breakerEvent()]
  const messages = linesOf(events, { access: false }).map((line) => 'msg' in line && line.msg)
  assert.deepEqual(messages, ['breaker open'])
})

const ref = { upstream: 'youtube-search', route: 'GET /jobs/{id}' }
const diskFull = Object.assign(new Error('no space left'), { code: 'ENOSPC', stack: 'Error: no space left\n  at x' })

const LINES: [Event, object | undefined][] = [
  [
    attemptEvent({ connectMs: 1.5 }),
    { level: 'debug', ...ref, status: 200, connect_ms: 1.5, duration_ms: 12, msg: 'attempt' },
  ],
  [
    attemptEvent({ status: undefined, reason: 'reset' }),
    { level: 'debug', ...ref, reason: 'reset', duration_ms: 12, msg: 'attempt' },
  ],
  [
    { kind: 'retry', ref: JOBS, cause: '503', waitMs: 2_000.12345, trace: undefined },
    { level: 'debug', ...ref, cause: '503', wait_ms: 2_000.123, msg: 'retry' },
  ],
  [
    { kind: 'retry_denied', ref: JOBS, why: 'deadline', trace: undefined },
    { level: 'debug', ...ref, why: 'deadline', msg: 'retry denied' },
  ],
  [
    { kind: 'stale_connection', ref: JOBS, trace: undefined },
    { level: 'debug', ...ref, msg: 'stale connection' },
  ],
  [
    { kind: 'body_failed', ref: JOBS, end: 'body_truncated' },
    { level: 'warn', ...ref, end: 'body_truncated', msg: 'body failed' },
  ],
  [
    { kind: 'body_failed', ref: JOBS, end: 'cancelled' },
    { level: 'debug', ...ref, end: 'cancelled', msg: 'body failed' },
  ],
  [
    { kind: 'body_unkept', ref: JOBS, why: 'too_large', error: undefined },
    { level: 'debug', ...ref, why: 'too_large', msg: 'body unkept' },
  ],
  [
    { kind: 'body_unkept', ref: JOBS, why: 'disk', error: diskFull },
    {
      level: 'warn',
      ...ref,
      why: 'disk',
      err: { type: 'Error', code: 'ENOSPC', message: 'no space left', stack: 'Error: no space left\n  at x' },
      msg: 'body unkept',
    },
  ],
  [
    breakerEvent(),
    {
      level: 'warn',
      upstream: 'youtube-search',
      from: 'closed',
      to: 'open',
      cause: 'consecutive',
      failure: '503',
      open_ms: 60_000,
      msg: 'breaker open',
    },
  ],
  [
    breakerEvent({
      route: JOBS.route,
      from: 'half-open',
      to: 'closed',
      cause: undefined,
      failure: undefined,
      openMs: undefined,
    }),
    { level: 'info', ...ref, from: 'half-open', to: 'closed', msg: 'breaker closed' },
  ],
  [
    { kind: 'listening', name: 'shared', address: '127.0.0.1:8080' },
    { level: 'info', name: 'shared', address: '127.0.0.1:8080', msg: 'listening' },
  ],
  [
    { kind: 'draining', inFlight: 4 },
    { level: 'info', in_flight: 4, msg: 'draining' },
  ],
  [
    { kind: 'drained', cut: 0 },
    { level: 'info', msg: 'drained' },
  ],
  [
    { kind: 'fault', error: 'thrown text', where: 'request' },
    { level: 'error', where: 'request', err: { type: 'string', message: 'thrown text' }, msg: 'fault' },
  ],
]

for (const [event, line] of LINES) {
  test(`${line === undefined ? 'no line' : 'a line'} is logged for ${JSON.stringify(event)}`, () => {
    assert.deepEqual(linesOf([event]), line === undefined ? [] : [{ service: 'make-video', ...line }])
  })
}

test('log: a fault has its stack and those of its causes', () => {
  const cause = new TypeError('the root')
  const text = textOf([{ kind: 'fault', error: new Error('the tip', { cause }), where: 'request' }])
  const { err } = JSON.parse(text)
  assert.equal(err.message, 'the tip')
  assert.match(err.stack, /^Error: the tip\n {4}at .*\ncaused by TypeError: the root\n {4}at /s)
})

test('log: a circular cause and a thrown value that is no Error are logged', () => {
  const circle = new Error('round')
  circle.cause = circle
  for (const error of [circle, Object.create(null), undefined, null, Symbol('s')]) {
    assert.equal(linesOf([{ kind: 'fault', error, where: 'control' }]).length, 1)
  }
})

test("log: no line has credentials of a URL or extra fields of a library's error", () => {
  const cause = new Error('refused by https://admin:hunt%40er2@inner.example:8443/x')
  const error = Object.assign(new Error('redis://user:hunter2@redis:6379 and http://:hunter2@h/ are down', { cause }), {
    headers: { authorization: 'Bearer hunter2' },
    url: '/search?key=hunter2',
  })
  const text = textOf([
    { kind: 'fault', error, where: 'request' },
    { kind: 'fault', error: 'http://bob:hunter2@h/a@b', where: 'request' },
    { kind: 'body_unkept', ref: JOBS, why: 'disk', error },
  ])
  assert.doesNotMatch(text, /hunter2|admin|bob|er2@/)
  assert.match(text, /redis:\/\/\*\*\*@redis:6379 and http:\/\/\*\*\*@h\/ are down/)
  assert.match(text, /https:\/\/\*\*\*@inner\.example:8443\/x/)
  assert.match(text, /http:\/\/\*\*\*@h\/a@b/)
})

test('log: a newline in the path of a request does not start a new line', () => {
  const path = '/a\n{"level":"fatal"}\u2028"'
  const lines = linesOf([requestEvent({ path })])
  assert.deepEqual(lines.length, 1)
  assert.ok(lines[0] !== undefined && 'path' in lines[0] && lines[0].path === path)
})

test('log: repeats of one error are logged once, and as a count 10 s later', async () => {
  const clock = fakeClock()
  const lines: { msg: string; repeats?: number }[] = []
  const log = createLog({ level: 'info', access: true, service: 's' }, clock, {
    write: (line: string) => lines.push(JSON.parse(line)),
  })
  const fault = (message: string): Event => ({ kind: 'fault', error: new Error(message), where: 'request' })
  for (let i = 0; i < 10_000; i += 1) log.record(fault('the same'))
  log.record(fault('another'))
  for (let i = 0; i < 3; i += 1) log.record({ kind: 'body_failed', ref: JOBS, end: 'body_truncated' })
  const told = () => lines.splice(0).map(({ msg, repeats }) => [msg, repeats])
  assert.deepEqual(told(), [
    ['fault', undefined],
    ['fault', undefined],
    ['body failed', undefined],
  ])
  await clock.advance(10_000)
  assert.deepEqual(told(), [
    ['fault', 9_999],
    ['body failed', 2],
  ])
  log.record(fault('the same'))
  log.record(fault('the same'))
  log.flush()
  assert.deepEqual(told(), [
    ['fault', undefined],
    ['fault', 1],
  ])
  await clock.advance(10_000)
  assert.deepEqual(told(), [])
})
