import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { systemClock } from '../src/clock.ts'

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }))
afterEach(() => void vi.useRealTimers())

/** Times in ms after the start at which timers of these delays fire, by delay. */
function firedAt(delaysMs: readonly number[], untilMs: number): Readonly<Record<number, number>> {
  const startedAt = systemClock.now()
  const fired: Record<number, number> = {}
  for (const ms of delaysMs) systemClock.after(ms, () => (fired[ms] = systemClock.now() - startedAt))
  vi.advanceTimersByTime(untilMs)
  return fired
}

test('systemClock: timers fire at their times, long ones, too', () => {
  expect(firedAt([5, 999, 1_000, 1_200, 60_000, 86_400_000], 61_000)).toEqual({
    5: 5,
    999: 999,
    1000: 1_000,
    1200: 1_200,
    60000: 60_000,
  })
})

test('systemClock: a long timer that is cancelled at once, or after a while, does not fire', () => {
  let fired = 0
  const count = () => {
    fired += 1
  }
  const [atOnce, later, kept] = [2_000, 2_000, 2_000].map((ms) => systemClock.after(ms, count))
  if (atOnce !== undefined) systemClock.cancel(atOnce)
  vi.advanceTimersByTime(1_500)
  if (later !== undefined) systemClock.cancel(later)
  vi.advanceTimersByTime(5_000)
  if (kept !== undefined) systemClock.cancel(kept)
  expect(fired).toBe(1)
})

test('systemClock: a request that ends soon sets no timer of the platform', () => {
  const setBefore = vi.getTimerCount()
  for (let i = 0; i < 100; i += 1) systemClock.cancel(systemClock.after(12_000, () => {}))
  expect(vi.getTimerCount() - setBefore).toBe(1)
  vi.advanceTimersByTime(1_000)
  expect(vi.getTimerCount()).toBe(setBefore)
})
