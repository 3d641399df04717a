import { expect, test } from 'vitest'
import type { Assumptions } from '../../src/simulate/assumptions.ts'
import { replay } from '../../src/simulate/replay.ts'
import { BY_DEFAULT, configOf, logOf } from './support.ts'

const START = Date.UTC(2026, 0, 1)

type Told = { at: number; status: number; total: number; [field: string]: unknown }

/** A line of the log with default fields. `at` is the arrival in ms after START. */
const line = ({ at, total, ...rest }: Told) => ({
  time: new Date(START + at + total).toISOString(),
  upstream: 'api',
  route: '*',
  method: 'GET',
  path: '/a',
  attempts: 1,
  queue_ms: 0,
  connect_ms: 0,
  first_byte_ms: total,
  total_ms: total,
  bytes_in: 0,
  msg: 'request',
  ...rest,
})

async function outcome(lines: readonly Told[], policies: object, assumptions: Partial<Assumptions> = {}) {
  const config = configOf({ upstreams: { api: { url: 'http://api', breaker: { failureRate: false }, ...policies } } })
  const log = await logOf(lines.map(line))
  const { tally, calls } = await replay(log, config, { ...BY_DEFAULT, ...assumptions }, 1)
  return { ...tally.figures(), ending: (row: number) => tally.endings.of(row), answered: calls }
}

const REFUSED = { status: 503, total: 0, attempts: 0, reason: 'breaker_open' }
const well = (at: number, total = 20) => ({ at, status: 200, total })
const failed = (at: number) => ({ at, status: 500, total: 5 })

test('replay: a refused request gets the answer of the call nearest in time, or the one set by `unseen`', async () => {
  const outage = [900, 950, 1_000].map(failed)
  const lines = [well(0), { ...REFUSED, at: 980 }, ...outage, { ...REFUSED, at: 9_500 }, well(10_000, 70)]
  const nearest = await outcome(lines, {})
  expect([nearest.ending(1)?.status, nearest.ending(5)?.status]).toEqual([500, 200])
  expect(nearest.answered).toEqual({ recorded: 5, assumed: 2 })
  expect(nearest.endings).toEqual({ 200: 3, 500: 4 })
  expect((await outcome(lines, {}, { unseen: 'ok' })).endings).toEqual({ 200: 4, 500: 3 })
  expect((await outcome(lines, { breaker: false }, { unseen: 'fail' })).endings).toEqual({ 200: 2, 500: 5 })
})

test('replay: a failure that is no outage answers one call only: its own', async () => {
  const lines = [well(0), failed(1_000), ...[1_001, 1_002].map((at) => ({ ...REFUSED, at })), well(9_000)]
  expect((await outcome(lines, {})).endings).toEqual({ 200: 4, 500: 1 })
})

test('replay: a refused request that would have succeeded gets the success answer of its own route', async () => {
  const lines = [
    { ...well(0), route: 'POST /jobs', method: 'POST', path: '/jobs', status: 201 },
    { ...REFUSED, at: 490, route: 'POST /jobs', method: 'POST', path: '/jobs' },
    well(500),
  ]
  expect((await outcome(lines, { routes: [{ match: 'POST /jobs' }] })).ending(1)?.status).toBe(201)
})

test('replay: a retry that the log lacks is not answered by the failure that caused it', async () => {
  const retry = { attempts: 2, on: [500], backoff: { initial: '100ms', jitter: 0 } }
  const { ending, retries } = await outcome([well(0), failed(5_000), well(9_000)], { retry })
  expect([ending(1)?.status, retries]).toEqual([200, 1])
})

test('replay: an attempt that starts at another time is answered by the calls of that time', async () => {
  const history = [
    { at_ms: 0, ms: 5, outcome: '503' },
    { at_ms: 1_000, ms: 5, outcome: '200' },
  ]
  const lines = [
    { at: 0, status: 200, total: 1_005, attempts: 2, history },
    { at: 9_990, status: 404, total: 1 },
  ]
  const after = (initial: string) => outcome(lines, { retry: { backoff: { initial, jitter: 0 } } })
  expect((await after('1200ms')).ending(0)?.status).toBe(200)
  expect((await after('10s')).ending(0)?.status).toBe(404)
})

test('replay: a timed-out attempt never gets its answer, or gets it after `lateMs`', async () => {
  const history = [{ at_ms: 0, ms: 1_000, outcome: 'attempt_timeout' }]
  const lines = [well(0), { at: 100, status: 504, total: 1_000, reason: 'attempt_timeout', history }]
  const policies = { timeout: { total: '3s' }, retry: { attempts: 1 } }
  const never = await outcome(lines, policies)
  expect(never.ending(1)).toMatchObject({ status: 504, reason: 'total_timeout' })
  expect((await outcome(lines, policies, { lateMs: 2_000 })).ending(1)).toMatchObject({ status: 200 })
  expect((await outcome(lines, policies, { lateMs: 4_000 })).ending(1)).toMatchObject({ status: 504 })
})

test('replay: a client that left leaves at the same time; others wait for ever, or for `patienceMs`', async () => {
  const left = { at: 0, status: 499, total: 300, reason: 'client_gone', first_byte_ms: undefined }
  const history = [{ at_ms: 0, ms: 300, outcome: 'client_gone' }]
  const lines = [{ ...left, history }, well(1_000, 800)]
  expect((await outcome(lines, {})).endings).toEqual({ '499 client_gone': 1, 200: 1 })
  expect((await outcome(lines, {}, { patienceMs: 500 })).endings).toEqual({ '499 client_gone': 2 })
})

test('replay: a deadline of the client or the job ends its request again', async () => {
  const lines = [
    {
      at: 0,
      status: 504,
      total: 700,
      reason: 'client_deadline',
      history: [{ at_ms: 0, ms: 700, outcome: 'client_deadline' }],
    },
    { at: 1_000, status: 504, total: 0, reason: 'job_deadline', attempts: 0 },
  ]
  const { endings, calls } = await outcome(lines, {})
  expect([endings, calls]).toEqual([{ '504 client_deadline': 1, '504 job_deadline': 1 }, 1])
})

test('replay: an answer before the end of the upload is not retried', async () => {
  const lines = [
    { at: 0, status: 503, total: 5, bytes_in: 9, history: [{ at_ms: 0, ms: 5, outcome: '503', early: true }] },
  ]
  expect((await outcome(lines, {})).calls).toBe(1)
})

const mark = (at: number, from: string, to: string, open_ms?: number) => ({
  time: new Date(START + at).toISOString(),
  msg: `breaker ${to}`,
  upstream: 'api',
  from,
  to,
  open_ms,
})

test.each([
  [61_000, ['breaker_open', 'breaker_open', 'breaker_open']],
  // The check at 10 s still failed, the one at 20 s did not. The probe failed: no second one goes early.
  [25_000, ['breaker_open', undefined, 'breaker_open']],
])('a health path says what it said: with a breaker that let a probe through at %i ms', async (halfOpenAt, reasons) => {
  const lines = [
    ...[0, 250, 500].map((at) => line({ at, status: 500, total: 500, attempts: 1 })),
    mark(1_000, 'closed', 'open', 60_000),
    ...[15_000, 24_000, 45_000].map((at) => line({ ...REFUSED, at })),
    mark(halfOpenAt, 'open', 'half-open'),
    line(well(61_500)),
  ]
  const api = {
    url: 'http://api',
    health: { path: '/health', interval: '10s' },
    breaker: { consecutiveFailures: 3, failureRate: false, openFor: '60s', patience: '0ms' },
    retry: { on: [] },
  }
  const { tally } = await replay(await logOf(lines), configOf({ upstreams: { api } }), BY_DEFAULT, 1)
  expect([3, 4, 5].map((row) => tally.endings.of(row)?.reason)).toEqual(reasons)
})

test('polls of one path are alike, posts that may differ in their queries are not', async () => {
  const both = (method: string) => [0, 1].map((at) => ({ ...well(at, 500), method }))
  const policies = { routes: [{ match: '* /a', collapse: true, idempotent: true }] }
  expect((await outcome(both('GET'), policies)).calls).toBe(1)
  expect((await outcome(both('POST'), policies)).calls).toBe(2)
})

test('replay: a hold gets the final status at the recorded time, whatever its polling interval', async () => {
  const history = [0, 400, 800, 1_200].map((at_ms) => ({ at_ms, ms: 10, outcome: '200' }))
  const lines = [{ at: 0, status: 200, total: 1_211, attempts: 4, history }]
  const held = (every: string) =>
    outcome(lines, { routes: [{ match: 'GET /a', hold: { json: '/status', in: ['queued'], upTo: '5s', every } }] })
  expect([(await held('390ms')).calls, (await held('100ms')).calls, (await held('2s')).calls]).toEqual([4, 11, 2])
})

test('replay: a call goes to the endpoint that it went to in the log', async () => {
  const told = (at: number, endpoint: string, outcome: string) => ({
    at,
    status: Number(outcome),
    total: 5,
    history: [{ at_ms: 0, ms: 5, outcome, endpoint }],
  })
  const lines = Array.from({ length: 40 }, (_, i) =>
    i % 2 === 0 ? told(i * 1_000, 'http://a', '200') : told(i * 1_000, 'http://b', '404'),
  )
  const { endings, calls, answered } = await outcome(lines, { url: undefined, urls: ['http://a', 'http://b'] })
  expect(calls).toBe(40)
  expect(answered).toEqual({ recorded: 40, assumed: 0 })
  expect(endings).toEqual({ 200: 20, 404: 20 })
})
