import { expect, test } from 'vitest'
import { beliefIn, makerOf } from '../../src/simulate/belief.ts'
import type { RecordedLog } from '../../src/simulate/recorded/log.ts'
import { recordedRun, replay } from '../../src/simulate/replay.ts'
import { compared } from '../../src/simulate/report/outcomes.ts'
import { faultyRun } from './recorded-run.ts'
import { BY_DEFAULT, configOf, logOf } from './support.ts'

const POLICIES = {
  timeout: { attempt: '2s', total: '20s' },
  retry: { attempts: 4, backoff: { initial: '100ms' } },
  breaker: { consecutiveFailures: 8, openFor: '4s' },
  routes: [{ match: 'GET /things/{id}', resume: true }],
}

async function beliefOf(log: RecordedLog, upstream: object, version = '') {
  const config = configOf({ upstreams: { api: upstream } })
  const recorded = recordedRun(log)
  const { tally, calls } = await replay(log, config, BY_DEFAULT, 1)
  const belief = beliefIn(
    log,
    makerOf(log, [{ name: 'a.yaml', version }]),
    compared(recorded.endings, tally.endings),
    calls,
  )
  return { belief, recorded: recorded.figures(), simulated: tally.figures(), calls }
}

test.each([
  { requests: 1_500, urls: ['http://a'] },
  { requests: 5_000, urls: ['http://a', 'http://b', 'http://c'] },
])(
  'replay: 99 % of $requests requests with faults, Retry-After and broken bodies at $urls end as recorded',
  async (given) => {
    const upstream = { urls: given.urls, ...POLICIES }
    const lines = await faultyRun(upstream, given.requests)
    expect(lines.some((line) => line.includes('"retry_after_ms":2000'))).toBe(true)
    expect(lines.some((line) => line.includes('"broke_ms"'))).toBe(true)
    const log = await logOf(lines.map((line) => JSON.parse(line)))
    const { belief, recorded, calls } = await beliefOf(log, upstream)
    expect(recorded.requests).toBe(given.requests)
    expect(recorded.breakers.length).toBeGreaterThan(5)
    expect(belief.isBelievable).toBe(true)
    expect(Math.min(belief.status, belief.reason, belief.attempts)).toBeGreaterThanOrEqual(0.99)
    expect(calls.assumed / (calls.assumed + calls.recorded)).toBeLessThan(0.03)
  },
)

const at = (second: number) => `2026-01-01T00:00:${String(second).padStart(2, '0')}.000Z`
const REQUESTS = Array.from({ length: 50 }, (_, second) => ({
  time: at(second),
  upstream: 'api',
  route: '*',
  method: 'GET',
  path: '/a',
  status: 200,
  attempts: 1,
  queue_ms: 0,
  first_byte_ms: 20,
  total_ms: 20,
  msg: 'request',
}))
const inForce = (version: string) => ({ time: at(0), msg: 'configuration in force', version })
const API = { url: 'http://api' }

async function says(lines: readonly object[], version: string, upstream: object = API) {
  const { belief } = await beliefOf(await logOf([...lines, ...REQUESTS]), upstream, version)
  return { isBelievable: belief.isBelievable, text: belief.says.join('\n') }
}

test('belief: a log of the given version that is reproduced can be believed', async () => {
  const { isBelievable, text } = await says([inForce('aaa')], 'aaa')
  expect([isBelievable, text]).toEqual([true, expect.stringMatching(/^Can be believed: .*100\.00 % of attempts.*$/)])
})

test('belief: a log that does not tell its version is taken for that of the given file', async () => {
  const { isBelievable, text } = await says([], 'aaa')
  expect([isBelievable, text]).toEqual([true, expect.stringContaining('does not tell which configuration made it')])
})

test.each([
  ['another version', [inForce('bbb')], 'of another configuration: version bbb, and a.yaml is aaa'],
  [
    'a reload in the middle',
    [inForce('bbb'), { time: at(9), msg: 'configuration reloaded', version: 'aaa' }],
    'changed during the log: versions bbb, aaa',
  ],
  [
    'a starved machine',
    [inForce('aaa'), { time: at(9), msg: 'loop stalled', ms: 400, repeats: 3 }],
    'stood still 3 times, 1.2 s in all',
  ],
])('belief: a log of %s cannot be believed', async (_, lines, why) => {
  const { isBelievable, text } = await says(lines, 'aaa')
  expect([isBelievable, text]).toEqual([false, expect.stringContaining(why)])
  expect(text).toMatch(/^Cannot be believed/)
})

test('belief: a log that comes out otherwise under its own configuration cannot be believed', async () => {
  const refused = REQUESTS.slice(0, 2).map((line) => ({ ...line, status: 503, reason: 'breaker_open', attempts: 0 }))
  const { isBelievable, text } = await says([inForce('aaa'), ...refused], 'aaa')
  expect([isBelievable, text]).toEqual([false, expect.stringContaining('of its calls are not in the log')])
})

test('belief: a forced breaker, a restart and lost lines are told', async () => {
  const lines = [inForce('aaa'), inForce('aaa'), { time: at(1), msg: 'breaker mode set' }]
  const { text } = await says([...lines, { time: at(1), msg: 'log lines lost', lines: 7 }], 'aaa')
  expect(text).toMatch(/started 2 times[\s\S]*set the mode of a breaker once[\s\S]*7 lines/)
})

test('belief: of two files the one whose version the log tells is its maker', async () => {
  const log = await logOf([inForce('new'), ...REQUESTS])
  const [old, now] = ['old', 'new'].map((version) => ({ name: `${version}.yaml`, version }))
  if (old === undefined || now === undefined) throw new Error('two files')
  expect(makerOf(log, [old, now])).toEqual({ given: now, isKnown: true })
})
