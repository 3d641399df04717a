/**
 * One path that failed or hung opened the breaker for all the others; an upstream that hung was not noticed where its clients
 * were less patient than `attempt`; an API that was broken behind a sound health path was probed at the pace of the checks.
 */

import { expect, test } from 'vitest'
import { EarlyProbes } from '../../src/control/health/early-probes.ts'
import type { Event } from '../../src/events.ts'
import { undeclaredGroup } from '../../src/policy/paths/group.ts'
import type { Got } from '../../src/simulate/simulated-request.ts'
import { VirtualClock } from '../../src/simulate/virtual-clock.ts'
import { answer, type Service, seeded, virtualSidecar } from '../support/virtual.ts'

type Plan = { readonly path: string; readonly everyMs: number; readonly timeoutMs?: number }

async function played(service: Service, plans: readonly Plan[], untilMs: number, settings: object = {}) {
  const clock = new VirtualClock(0)
  const { events, get } = virtualSidecar(clock, settings, { 'http://a': service }, seeded(2))
  const asked: (Promise<Got> & { path?: string })[] = []
  for (let at = 0; at < untilMs + 70_000; at += 50) {
    for (const { path, everyMs, timeoutMs } of plans)
      if (at < untilMs && at % everyMs === 0) asked.push(Object.assign(get(path, timeoutMs), { path }))
    await clock.advance(50)
  }
  const results = await Promise.all(asked.map(async (one) => ({ path: one.path, ...(await one) })))
  return { results, events }
}

test.for<[what: string, service: Service]>([
  ['fails', ({ path }) => (path === '/bad' ? answer(500, 5) : answer(200, 5))],
  ['hangs', ({ path }) => (path === '/bad' ? undefined : answer(200, 5))],
])('a path that %s four times a second: polls of another one all succeed', async ([, service]) => {
  const plans = [
    { path: '/bad', everyMs: 250, timeoutMs: 10_000 },
    { path: '/jobs/1', everyMs: 1_000 },
  ]
  const { results } = await played(service, plans, 25_000)
  const polls = results.filter(({ path }) => path === '/jobs/1')
  expect(polls.map(({ outcome }) => outcome)).toEqual(Array(25).fill(200))
})

test('an upstream that hangs opens the breaker though its clients wait no longer than 3 s', async () => {
  const { events } = await played(() => {}, [{ path: '/x', everyMs: 500, timeoutMs: 3_000 }], 20_000)
  const opened = events.find((event) => event.kind === 'breaker' && event.to === 'open')
  expect(opened).toMatchObject({ cause: 'rate' })
  expect(opened?.at).toBeLessThan(15_000)
})

test('clients that leave after 0.3 s say nothing about the upstream', async () => {
  const slow: Service = () => answer(200, 900)
  const { events } = await played(slow, [{ path: '/x', everyMs: 250, timeoutMs: 300 }], 20_000)
  expect(events.filter(({ kind }) => kind === 'breaker')).toEqual([])
})

test('a health check that succeeds lets a broken API be probed early once, and again only after it failed', async () => {
  const clock = new VirtualClock(0)
  let isHealthy = true
  let moves = 0
  const opened = { kind: 'breaker', upstream: 'a', endpoint: undefined, to: 'open' } as Event
  const look = async () => {
    if (!isHealthy) throw new Error('ill')
  }
  const watched = { upstream: 'a', origin: 'http://a', health: { look }, intervalMs: 1_000 } as never
  const probes: EarlyProbes = new EarlyProbes(
    [watched],
    () => true,
    () => {
      moves += 1
      probes.record(opened)
    },
    clock,
    (error) => {
      throw error
    },
  )
  probes.record(opened)
  const seconds = (count: number) => clock.advance(count * 1_000)
  await seconds(10)
  expect(moves).toBe(1)
  isHealthy = false
  await seconds(1)
  isHealthy = true
  await seconds(10)
  expect(moves).toBe(2)
  probes.record({ ...opened, to: 'closed' } as Event)
  await seconds(2)
  expect(moves).toBe(3)
})

test('paths: an id ends the path that counts, a version does not', () => {
  const groups = new Map()
  const keyOf = (path: string) => undeclaredGroup(groups, 'GET', path).key
  expect(['/jobs/42/file', '/jobs/7', '/jobs/0b9f-aa1/x'].map(keyOf)).toEqual(Array(3).fill('GET /jobs'))
  expect(['/api/v1/jobs', '/api/v1/jobs/abc1'].map(keyOf)).toEqual(Array(2).fill('GET /api/v1/jobs'))
  expect(keyOf(`/files/${'x'.repeat(41)}`)).toBe('GET /files')
  for (let i = 0; i < 100; i += 1) keyOf(`/${'a'.repeat(i % 40)}${'b'.repeat(Math.floor(i / 40))}`)
  expect(groups.size).toBe(64)
})
