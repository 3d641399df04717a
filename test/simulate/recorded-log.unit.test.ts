import { expect, test } from 'vitest'
import { logOf } from './support.ts'
import { readLog } from '../../src/simulate/recorded/log.ts'

const line = (time: string, fields: object) => ({
  time,
  upstream: 'api',
  route: 'GET /jobs/{id}',
  method: 'GET',
  path: '/jobs/1',
  status: 200,
  attempts: 1,
  queue_ms: 0,
  first_byte_ms: 10,
  total_ms: 10,
  msg: 'request',
  ...fields,
})

test('readLog: sorts requests by arrival, not by the order of their lines', async () => {
  const log = await logOf([
    line('2026-01-01T00:00:02.000Z', { path: '/jobs/second' }),
    line('2026-01-01T00:00:05.000Z', { path: '/jobs/first', total_ms: 4_000 }),
    line('2026-01-01T00:00:03.500Z', { path: '/jobs/third' }),
  ])
  expect([0, 1, 2].map((n) => log.nth(n)).map(({ path, arrivalMs }) => [path, arrivalMs])).toEqual([
    ['/jobs/first', 0],
    ['/jobs/second', 990],
    ['/jobs/third', 2_490],
  ])
  expect([log.epochMs, log.lengthMs]).toEqual([Date.UTC(2026, 0, 1, 0, 0, 1), 4_000])
})

test.each([
  ['/api/jobs/1', 'GET /jobs/{id}', '/jobs/1'],
  ['/jobs/1', 'GET /jobs/{id}', '/jobs/1'],
  ['/api/x', 'GET /api/{id}', '/api/x'],
  ['/api', '*', '/'],
  ['/apis/x', '*', '/apis/x'],
])('readLog: the logged path %s on route %s is %s at the upstream', async (path, route, at) => {
  const log = await logOf([line('2026-01-01T00:00:00.000Z', { path, route })])
  expect(log.nth(0).path).toBe(at)
})

test('readLog: other lines are skipped; unreadable lines and requests without an upstream are counted', async () => {
  const whole = JSON.stringify(line('2026-01-01T00:00:00.000Z', {}))
  const text = [
    'not JSON',
    JSON.stringify({ msg: 'listening', name: 'listen' }),
    JSON.stringify(line('2026-01-01T00:00:00.000Z', { upstream: undefined, status: 404 })),
    whole,
    '{"msg":"request",',
    whole.slice(0, -1),
  ].join('\n')
  const log = await readLog(
    (async function* () {
      yield text.slice(0, 50)
      yield text.slice(50)
    })(),
  )
  expect([log.length, log.skipped]).toEqual([1, { unreadable: 2, noUpstream: 1 }])
})

test('readLog: requests without the history of their attempts are counted', async () => {
  const log = await logOf([
    line('2026-01-01T00:00:00.000Z', { attempts: 3 }),
    line('2026-01-01T00:00:00.000Z', { status: 502, reason: 'reset' }),
    line('2026-01-01T00:00:00.000Z', { reason: 'body_truncated' }),
    line('2026-01-01T00:00:00.000Z', { attempts: 0, status: 503, reason: 'breaker_open' }),
  ])
  expect(log.untold).toBe(2)
})

test('readLog: a restart ends what breakers were open before it', async () => {
  const opened = { upstream: 'api', from: 'closed', to: 'open', cause: 'rate', open_ms: 1_000, msg: 'breaker open' }
  const start = { trigger: 'start', version: 'a', msg: 'configuration in force' }
  const log = await logOf([
    line('2026-01-01T00:00:00.010Z', {}),
    { time: '2026-01-01T00:00:02.000Z', ...opened },
    { time: '2026-01-01T00:00:07.000Z', ...start },
    { time: '2026-01-01T00:00:09.000Z', ...start },
  ])
  expect(log.marks.map(({ atMs, from, to, cause }) => [atMs, from, to, cause])).toEqual([
    [2_000, 'closed', 'open', 'rate'],
    [7_000, 'open', 'closed', 'restart'],
  ])
})
