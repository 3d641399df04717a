import { expect, test } from 'vitest'
import { Workers } from '../../src/simulate/workers.ts'

test('workers: calls wait in order, and a call that finds the queue full is refused', () => {
  const workers = new Workers(2, 2)
  expect([100, 50, 10, 10].map((needed) => workers.take(0, needed))).toEqual([100, 50, 60, 70])
  expect(workers.take(0, 10)).toBeUndefined()
  // At 55 ms one of the two waiting calls has begun, so the queue has room.
  expect(workers.take(55, 10)).toBe(80)
})

test('workers: all are free after a restart', () => {
  const workers = new Workers(1, 0)
  workers.take(0, 1_000)
  expect(workers.take(1, 5)).toBeUndefined()
  workers.restart()
  expect(workers.take(1, 5)).toBe(6)
})

test('workers: 20,000 calls in turn never fill a queue of 10,000', () => {
  const workers = new Workers(1, 10_000)
  let doneAt: number | undefined = 0
  for (let now = 0; now < 20_000; now += 1) doneAt = workers.take(now, 1)
  expect(doneAt).toBe(20_000)
})
