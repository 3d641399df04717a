import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { formatFaults } from '../../src/config/file/faults.ts'
import { loadConfig } from '../../src/config/load.ts'
import { play } from '../../src/simulate/play.ts'
import { loadScenario } from '../../src/simulate/scenario.ts'
import { configOf, scenarioOf } from './support.ts'

const folder = join(import.meta.dirname, '../../config/simulate')
const read = (name: string) => readFileSync(join(folder, name), 'utf8')

const UPSTREAM = { latency: { p50: '10ms', p99: '10ms' } }
const scenario = (upstream: object, more: object = {}) =>
  scenarioOf({
    lasts: '100s',
    traffic: [{ upstream: 'api', request: 'GET /jobs/{id}', rate: 20 }],
    upstreams: { api: { ...UPSTREAM, ...upstream } },
    ...more,
  })
const config = (policies: object = {}) => configOf({ upstreams: { api: { url: 'http://api', ...policies } } })

test('scenario: faults of the file have their line and column', () => {
  const text = [
    'lasts: 4x',
    'traffic:',
    '  - { upstream: ap, request: GET /, rate: 1, patiense: 3s }',
    'upstreams:',
    '  api: { latency: { p50: 1ms, p99: 2ms }, faults: [{ as: slwo }] }',
    '',
  ].join('\n')
  const loaded = loadScenario(text, 'outage.yaml')
  const told = loaded.ok ? '' : formatFaults(loaded.faults)
  expect(told).toContain('outage.yaml:1:8: lasts: expected a duration')
  expect(told).toContain('outage.yaml:3:46: traffic.0.patiense: unknown key, did you mean "patience"?')
  expect(told).toContain('outage.yaml:5:58: upstreams.api.faults.0.as: expected one of refused, silent')
  const stray = loadScenario(text.replace('4x', '4m').replace('patiense', 'patience').replace('slwo', 'slow'), 'x')
  expect(stray.ok ? [] : stray.faults.map(({ message, line }) => [message, line])).toEqual([
    ['no such upstream in this file', 3],
  ])
  for (const text of ['a: [', 'lasts: 1s\nlasts: 2s', `lasts: &a [*a]`]) expect(loadScenario(text, 'x').ok).toBe(false)
})

test('scenario: requests arrive at the rate of each step', async () => {
  const steps = [
    { from: '0s', rate: 10 },
    { from: '50s', rate: 30 },
    { from: '75s', rate: 0 },
  ]
  const traffic = [{ upstream: 'api', request: 'GET /a', rate: steps }]
  const { tally, requests } = await play(scenario({}, { traffic }), config(), 1)
  const { upstreams, sliceMs } = tally.figures()
  const callsOverTime = upstreams.flatMap((upstream) => upstream.callsOverTime)
  const between = (fromS: number, toS: number) =>
    callsOverTime.slice((fromS * 1_000) / sliceMs, (toS * 1_000) / sliceMs).reduce((sum, count) => sum + count, 0)
  expect(between(0, 50) / 500).toBeCloseTo(1, 0)
  expect(between(50, 75) / 750).toBeCloseTo(1, 0)
  expect([between(76, 100), requests]).toEqual([0, between(0, 76)])
})

test.each([
  [{ as: 'refused' }, '502 connect_refused'],
  [{ as: 'silent' }, '504 total_timeout'],
  [{ as: 'error', status: 500 }, '500'],
  [{ as: 'slow', factor: 1_000 }, '504 total_timeout'],
  [{ as: 'failedJobs' }, '200'],
])('scenario: while the fault %o lasts, requests end with %s', async (fault, ending) => {
  const world = scenario({ faults: [{ ...fault, from: '50s', lasts: '10s' }] })
  const policies = {
    timeout: { total: '1s' },
    retry: { attempts: 1 },
    breaker: { consecutiveFailures: 100_000, failureRate: false },
  }
  const { tally, requests } = await play(world, config(policies), 1)
  const { endings } = tally.figures()
  if (ending === '200') expect(endings).toEqual({ 200: requests })
  else expect((endings[ending] ?? 0) / 200).toBeCloseTo(1, 0)
  expect((endings[200] ?? 0) + (ending === '200' ? 0 : (endings[ending] ?? 0))).toBe(requests)
})

test('scenario: failed jobs open the breaker of a route with failureWhen', async () => {
  const routes = [{ match: 'GET /jobs/{id}', failureWhen: { json: '/job/status', in: ['broken'], oncePer: 'id' } }]
  const { tally } = await play(scenario({ faults: [{ as: 'failedJobs', from: '50s' }] }), config({ routes }), 1)
  const [first] = tally.figures().breakers
  expect(first).toMatchObject({ to: 'open', cause: 'jobs' })
  expect(first?.atMs).toBeGreaterThan(50_000)
})

test('scenario: with a retry budget an overload brings no further calls; without one it does', async () => {
  const file = loadScenario(read('fleet.yaml').replace('sidecars: 10000', 'sidecars: 100'), 'fleet.yaml')
  if (!file.ok) throw new Error(formatFaults(file.faults))
  const small = { ...file.scenario, upstreams: scaledDown(file.scenario.upstreams) }
  const played = async (name: string) => {
    const loaded = loadConfig(read(name), name, {})
    if (!loaded.ok) throw new Error(formatFaults(loaded.faults))
    const { tally } = await play(small, loaded.config, 1)
    const { outcomesOverTime, sliceMs, calls, requests } = tally.figures()
    const lastMinute = outcomesOverTime.served.slice(180_000 / sliceMs, 240_000 / sliceMs)
    return { served: lastMinute.reduce((sum, count) => sum + count, 0), factor: calls / requests }
  }
  // About 1,200 requests arrive in that minute.
  const withBudget = await played('budget.yaml')
  expect(withBudget.served).toBeGreaterThan(1_000)
  expect(withBudget.factor).toBeLessThan(1.05)
  const without = await played('no-budget.yaml')
  expect(without.served).toBeGreaterThan(1_000)
  expect(without.factor).toBeGreaterThan(1.3)
})

/** Scales the capacity down to a hundredth, as the test runs a hundredth of the sidecars. */
function scaledDown<U extends { capacity?: { workers: number; queue: number } | undefined }>(
  upstreams: Record<string, U>,
) {
  return Object.fromEntries(
    Object.entries(upstreams).map(([name, upstream]) => [name, { ...upstream, capacity: { workers: 2, queue: 500 } }]),
  )
}
