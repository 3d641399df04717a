/**
 * With its defaults the sidecar made outages longer than they were: after half a second without the upstream, calls were
 * refused for a minute; a poller that allows five errors in a row lost its job to the open breaker.
 */

import { expect, test } from 'vitest'
import type { Got } from '../../src/simulate/simulated-request.ts'
import { VirtualClock } from '../../src/simulate/virtual-clock.ts'
import { answer, fail, type Service, seeded, virtualSidecar } from '../support/virtual.ts'

const STEP_MS = 50

/** An upstream that refuses connections from 2 s on, for so long, and answers in 20 ms otherwise. */
function restarting(awayMs: number, settings: object = {}) {
  const clock = new VirtualClock(0)
  const calls: number[] = []
  const service: Service = () => {
    calls.push(clock.now())
    const isAway = clock.now() >= 2_000 && clock.now() < 2_000 + awayMs
    if (isAway) return fail('connect_refused', 1)
    return answer(200, 20)
  }
  const { get, snapshot } = virtualSidecar(clock, settings, { 'http://a': service }, seeded(7))
  const queued = () => snapshot().upstreams[0]?.queued ?? 0
  return { clock, calls, get, queued }
}

/** Clients that call each 200 ms, for so long. @returns the results by their start. */
async function called(
  { clock, get }: ReturnType<typeof restarting>,
  clients: number,
  untilMs: number,
  limits: readonly [timeoutMs: number | undefined, leavesAfterMs: number | undefined] = [undefined, undefined],
): Promise<(Got & { readonly at: number })[]> {
  const asked: Promise<Got & { readonly at: number }>[] = []
  for (let at = 0; at < untilMs + 70_000; at += STEP_MS) {
    for (let i = 0; i < clients; i += 1)
      if (at < untilMs && at % 200 === 0) asked.push(get('/x', ...limits).then((got) => ({ ...got, at })))
    await clock.advance(STEP_MS)
  }
  return Promise.all(asked)
}

test.for([
  [500, 1],
  [500, 8],
  [3_000, 1],
  [3_000, 8],
] as const)('an outage of %d ms with %d clients is not seen', async ([awayMs, clients]) => {
  const results = await called(restarting(awayMs), clients, 10_000)
  expect(results.filter(({ outcome }) => outcome !== 200)).toEqual([])
  // And no call takes much longer than the outage.
  expect(Math.max(...results.map(({ ms }) => ms))).toBeLessThan(awayMs + 5_000)
})

test.for([
  [10_000, 1],
  [30_000, 8],
] as const)('after an outage of %d ms with %d clients no call fails', async ([awayMs, clients]) => {
  const results = await called(restarting(awayMs), clients, awayMs + 20_000)
  const failed = results.filter(({ outcome }) => outcome !== 200)
  expect(Math.max(...failed.map(({ at }) => at))).toBeLessThan(2_000 + awayMs)
  // Nobody waits for longer than `patience` to be refused.
  expect(Math.max(...failed.filter(({ outcome }) => outcome === 'breaker_open').map(({ ms }) => ms))).toBeLessThan(
    5_001,
  )
})

test('an outage of ten minutes costs the upstream three calls each four seconds, whatever the traffic', async () => {
  const upstream = restarting(600_000)
  await called(upstream, 8, 600_000)
  const inMinute = upstream.calls.filter((at) => at >= 300_000 && at < 360_000).length
  expect(inMinute).toBeGreaterThanOrEqual(13)
  expect(inMinute).toBeLessThanOrEqual(3 * 15)
})

test.for([
  ['leave after a second', [undefined, 1_000]],
  ['say that they wait a second', [1_000, undefined]],
] as const)('after an outage of 30 s clients that %s are served as soon as without the breaker', async ([, limits]) => {
  const upstream = restarting(30_000)
  const results = await called(upstream, 8, 40_000, limits)
  const failed = results.filter(({ outcome }) => outcome !== 200)
  expect(Math.max(...failed.map(({ at }) => at))).toBeLessThanOrEqual(32_200)
  // What it costs: three calls each second, since a breaker that opens for longer would outlast every client.
  expect(upstream.calls.filter((at) => at >= 10_000 && at < 30_000).length).toBeLessThanOrEqual(20 * 3)
})

test.for([
  [15_000, 4_000],
  [8_000, 2_000],
] as const)(
  'a poller that allows five errors in a row survives %d ms without the upstream',
  async ([awayMs, everyMs]) => {
    const { clock, get } = restarting(awayMs)
    let errors = 0
    let polls = 0
    const poller = (async () => {
      for (; errors <= 5 && clock.now() < 40_000; polls += 1) {
        const { outcome } = await get('/jobs/1')
        errors = outcome === 200 ? 0 : errors + 1
        await new Promise<void>((resolve) => clock.after(everyMs, resolve))
      }
    })()
    let isOver = false
    void poller.then(() => {
      isOver = true
    })
    while (!isOver) {
      await clock.advance(STEP_MS)
    }
    expect(errors).toBe(0)
    expect(polls).toBeGreaterThan(5)
  },
)

test('a request that waits for the breaker is in the gauge of the queue', async () => {
  const upstream = restarting(10_000, { retry: { attempts: 1 } })
  const { clock, get, queued } = upstream
  await clock.advance(2_000)
  const failed = Array.from({ length: 5 }, () => get('/x'))
  await clock.advance(1)
  await Promise.all(failed)
  const waiting = [get('/x'), get('/x')]
  await clock.advance(0)
  expect(queued()).toBe(2)
  await clock.advance(5_000)
  await Promise.all(waiting)
  expect(queued()).toBe(0)
})

test('patience: 0ms refuses at once while the breaker is open', async () => {
  const upstream = restarting(10_000, { retry: { attempts: 1 }, breaker: { patience: '0ms' } })
  const results = await called(upstream, 1, 10_000)
  const refused = results.filter(({ outcome }) => outcome === 'breaker_open')
  expect(refused.length).toBeGreaterThan(10)
  expect(new Set(refused.map(({ ms }) => ms))).toEqual(new Set([0]))
})
