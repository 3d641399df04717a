import { expect, test } from 'vitest'
import { limitWords, moment, pauseWords, recent, stateWords } from '../../src/dashboard/format.js'
import { fleetLines } from '../../src/dashboard/health-lines.js'
import type { BreakerMode, BreakerState, BreakerView, Job } from '../../src/dashboard/shapes.ts'
import { freshState, jobRows, noteHealth } from '../../src/dashboard/state.js'

test('a time is shown with its date unless it is of the same day', () => {
  const at = '2026-03-09T12:00:00Z'
  expect(recent(at, '2026-03-09T12:30:00Z')).toMatch(/^\d\d:00:00$/)
  expect(recent(at, '2026-03-11T12:00:00Z')).toMatch(/^9 Mar \d\d:00:00$/)
  expect(recent(at, undefined)).toMatch(/^9 Mar \d\d:00:00$/)
  expect(moment(at)).toMatch(/^9 Mar 2026 \d\d:00:00$/)
})

test('a check has failed since it was first seen to fail, and not since the page was opened', () => {
  const report = (healthy: boolean, timestamp: string) => ({
    status: 'degraded',
    service: 's',
    version: '1',
    checks: { redis: { healthy, details: '' } },
    timestamp,
    ready: true,
  })
  const state = freshState()
  const since = (healthy: boolean, timestamp: string) => {
    noteHealth(state, report(healthy, timestamp))
    return state.unhealthySince.get('redis')
  }
  expect([since(false, '1'), since(false, '2'), since(true, '3'), since(false, '4'), since(false, '5')]).toEqual([
    undefined,
    undefined,
    undefined,
    '4',
    '4',
  ])
})

test('a pause has its end, and then the requests that go one after the other', () => {
  expect(pauseWords({ paths: 'GET /x', waiting: 1, ends_in_s: 20 })).toBe(
    'GET /x: asked to be left alone for 20 s more (Retry-After), 1 request waits',
  )
  expect(pauseWords({ paths: 'GET /x', waiting: 2, ends_in_s: 0 })).toBe(
    'GET /x: its Retry-After is over, 2 requests wait to go one after the other',
  )
})

test('shared limits are shown with the number of those that wait', () => {
  const limits = [
    { name: 'gpu', max: 1, in_use: 1, queued: 3 },
    { name: 'disk', max: 8, in_use: 0, queued: 0 },
  ]
  expect(limitWords(limits, [])).toBe('Shared limits: gpu 1 of 1, 3 wait; disk 0 of 8')
  expect(limitWords([], ['limits.gpu'])).toBe(
    'Shared limits: –. Own share, since the Redis of the fleet does not answer: limits.gpu',
  )
})

const breaker = (state: BreakerState, mode: BreakerMode = 'auto'): BreakerView => ({
  route: null,
  endpoint: null,
  mode,
  forced: null,
  state,
  consecutive_failures: 0,
  open_for_s: 0,
  probes_in_flight: 0,
})

test.for([
  ['closed', [breaker('closed'), breaker('closed')]],
  ['open', [breaker('open')]],
  ['1 of 2 half-open', [breaker('closed'), breaker('half-open')]],
  ['forced open', [breaker('open', 'forced-open'), breaker('open', 'forced-open')]],
  ['forced closed', [breaker('closed', 'forced-closed')]],
  ['open, observed only', [breaker('open', 'observe')]],
  ['closed, 1 not automatic', [breaker('closed'), breaker('closed', 'forced-closed')]],
  ['1 of 2 open, 1 not automatic', [breaker('open'), breaker('closed', 'observe')]],
] as const)('stateWords sums up several breakers as "%s"', ([words, breakers]) => {
  expect(stateWords({ breakers })).toBe(words)
})

test('jobs are sorted by nearest deadline; jobs past their deadline come last', () => {
  const job = (id: string, leftS: number | null): Job => ({
    job_id: id,
    inputs: {},
    timeouts: {},
    started_at: '2026-01-01T00:00:00Z',
    deadline_at: leftS === null ? null : new Date(Date.UTC(2026, 0, 1) + leftS * 1000).toISOString(),
    time_left_s: leftS === null ? null : Math.max(0, leftS),
    life: null,
  })
  const told = [job('over-long-ago', -900), job('over', -5), job('far', 900), job('near', 9), job('free', null)]
  const jobs = new Map(told.map((one) => [one.job_id, { ...one, readAtMs: 0 }]))
  const progress = new Map([['unregistered', new Map()]])
  const ids = (nowMs: number) => jobRows({ ...freshState(), jobs, progress }, nowMs).map(({ id }) => id)
  expect(ids(0)).toEqual(['near', 'far', 'free', 'unregistered', 'over', 'over-long-ago'])
  expect(ids(9_000)).toEqual(['far', 'free', 'unregistered', 'near', 'over', 'over-long-ago'])
})

test('fleet: its sidecars, who holds what, and what happens without its Redis', () => {
  const fleet = {
    name: 'make-video',
    up: true,
    pods: 2,
    members: [
      { id: 'a', host: 'pod-a', self: true },
      { id: 'b', host: 'pod-b', self: false },
    ],
    leases: [
      { limit: 'limits.gpu', holder: 'b', permits: 1 },
      { limit: 'limits.gpu', holder: 'a', permits: 0 },
    ],
    limits: [
      { limit: 'limits.gpu', max: 2, held: 1, per_s: null },
      { limit: 'rate.downloader', max: 90, held: null, per_s: 60 },
    ],
  }
  expect(fleetLines(undefined)).toEqual([])
  expect(fleetLines({ ...fleet, name: null })).toEqual([])
  expect(fleetLines(fleet).map(({ name, says }) => `${name}: ${says}`)).toEqual([
    'make-video: 2 sidecars: pod-a (this one), pod-b',
    'limits.gpu: 1 of 2 held: pod-b 1',
    'rate.downloader: 90 calls within 1 min, for all together',
  ])
  expect(fleetLines({ ...fleet, up: false, members: [], leases: [], limits: [] })).toEqual([
    {
      name: 'make-video',
      isWell: false,
      says: 'its Redis does not answer: each of 2 sidecars takes its own share',
    },
  ])
})
