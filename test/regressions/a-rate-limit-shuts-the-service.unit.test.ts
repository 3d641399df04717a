/**
 * 429 counted as a failure: an upstream that takes 5 calls a second and answers the others 429 was shut for a minute. Nothing
 * remembered a Retry-After, and all who waited for one came back in the same moment.
 */

import { expect, test } from 'vitest'
import type { Got } from '../../src/simulate/simulated-request.ts'
import { VirtualClock } from '../../src/simulate/virtual-clock.ts'
import { answer, type Service, seeded, virtualSidecar } from '../support/virtual.ts'

const LATER = ['retry-after', '1']

/** Takes five calls in each second; the others get the status. */
function limited(status: number, headers: readonly string[], settings: object = {}) {
  const clock = new VirtualClock(0)
  const calls: number[] = []
  const taken: number[] = []
  const service: Service = () => {
    const now = clock.now()
    calls.push(now)
    if (taken.filter((at) => at > now - 1_000).length >= 5) return answer(status, 5, undefined, headers)
    taken.push(now)
    return answer(200, 20)
  }
  return { clock, calls, ...virtualSidecar(clock, settings, { 'http://a': service }, seeded(3)) }
}

test.for([
  [429, LATER],
  [503, LATER],
  [429, []],
] as const)('limit of 5/s, %d %o: as many calls a second finish as without the sidecar', async ([status, headers]) => {
  const { clock, events, get } = limited(status, headers)
  const asked: Promise<Got & { readonly doneAt: number }>[] = []
  for (let at = 0; at < 90_000; at += 80) {
    // 12.5 a second for 20 s.
    if (at < 20_000) asked.push(get('/x').then((got) => ({ ...got, doneAt: clock.now() })))
    await clock.advance(80)
  }
  const finished = (await Promise.all(asked)).filter(({ outcome }) => outcome === 200)
  for (let from = 5_000; from < 20_000; from += 5_000) {
    const within = finished.filter(({ doneAt }) => doneAt >= from && doneAt < from + 5_000)
    expect(within.length).toBeGreaterThanOrEqual(20)
  }
  expect(events.filter(({ kind }) => kind === 'breaker')).toEqual([])
})

test('limit on one path: calls of other paths go on at once', async () => {
  const clock = new VirtualClock(0)
  const { get } = virtualSidecar(
    clock,
    { retry: { attempts: 1 } },
    {
      'http://a': ({ path }) => (path === '/busy' ? answer(429, 5, undefined, ['retry-after', '30']) : answer(200, 5)),
    },
    seeded(1),
  )
  const busy = get('/busy')
  await clock.advance(10)
  expect((await busy).outcome).toBe(429)
  const [again, other] = [get('/busy'), get('/jobs/7')]
  await clock.advance(10)
  expect(await other).toMatchObject({ outcome: 200, ms: 5 })
  await clock.advance(30_000)
  expect((await again).ms).toBeGreaterThanOrEqual(30_000 - 10)
})

/** A sidecar whose first call was answered with a Retry-After; all others succeed after 100 ms. */
async function limitedOnce(status: number, retryAfter: string) {
  const clock = new VirtualClock(0)
  const sent: number[] = []
  const service: Service = () => {
    sent.push(clock.now())
    if (sent.length === 1) return answer(status, 0, undefined, ['retry-after', retryAfter])
    return answer(200, 100)
  }
  const { get } = virtualSidecar(clock, { retry: { attempts: 1 } }, { 'http://a': service }, seeded(1))
  const first = get('/x')
  await clock.advance(1)
  await first
  return { clock, get, sent }
}

test('Retry-After: who waits for it comes back one after the other, then ever more at once', async () => {
  const { clock, get, sent } = await limitedOnce(503, '2')
  const waiting = Array.from({ length: 20 }, () => get('/x'))
  for (let at = 0; at < 4_000; at += 10) {
    await clock.advance(10)
  }
  expect((await Promise.all(waiting)).every(({ outcome }) => outcome === 200)).toBe(true)
  const rounds = Map.groupBy(sent.slice(1), (at) => Math.round((at - 2_000) / 100))
  expect([...rounds.values()].map((one) => one.length).slice(0, 3)).toEqual([1, 2, 4])
})

test('Retry-After: a call whose deadline does not allow the wait is sent as it would have been', async () => {
  const { clock, get } = await limitedOnce(429, '20')
  const hurried = get('/x', 5_000)
  await clock.advance(200)
  expect((await hurried).outcome).toBe(200)
  // Its success ends the wait for all.
  const next = get('/x')
  await clock.advance(200)
  expect(await next).toMatchObject({ outcome: 200, ms: 100 })
})
