import fc from 'fast-check'
import { expect, test } from 'vitest'
import { VirtualClock } from '../../src/simulate/virtual-clock.ts'

test('virtual clock: all promise callbacks of a timer run before the next timer', async () => {
  const clock = new VirtualClock(0)
  let links = 0
  const chain = async (left: number): Promise<void> => {
    await Promise.resolve()
    links += 1
    if (left > 1) await chain(left - 1)
  }
  clock.after(1, () => void chain(500))
  let seen = 0
  clock.after(1, () => {
    seen = links
  })
  await clock.run()
  expect([seen, clock.now()]).toEqual([500, 1])
})

test('virtual clock: timers fire by time, then in the order in which they were set', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.record({ at: fc.nat(50), isCancelled: fc.boolean() })), async (plans) => {
      const clock = new VirtualClock(0)
      const fired: number[] = []
      const timers = plans.map(({ at }, i) => clock.after(at, () => fired.push(i)))
      for (const [i, timer] of timers.entries()) if (plans[i]?.isCancelled) clock.cancel(timer)
      await clock.run()
      const left = plans.flatMap(({ at, isCancelled }, i) => (isCancelled ? [] : [{ at, i }]))
      expect(fired).toEqual(left.sort((a, b) => a.at - b.at || a.i - b.i).map(({ i }) => i))
    }),
  )
})

test('virtual clock: a timer may set and cancel others; a timer due at once fires after it returns', async () => {
  const clock = new VirtualClock(1_000)
  const told: [string, number][] = []
  const tell = (what: string) => told.push([what, clock.wallNow()])
  const doomed = clock.after(5, () => tell('doomed'))
  clock.after(2, () => {
    clock.cancel(doomed)
    clock.cancel(doomed)
    clock.after(-1, () => tell('at once'))
    clock.after(3, () => tell('later'))
    tell('first')
  })
  await clock.run()
  expect(told).toEqual([
    ['first', 1_002],
    ['at once', 1_002],
    ['later', 1_005],
  ])
})

test('virtual clock: an error thrown in a timer rejects run()', async () => {
  const clock = new VirtualClock(0)
  clock.after(1, () => {
    throw new Error('broken')
  })
  await expect(clock.run()).rejects.toThrow('broken')
})

test('virtual clock: advance(ms) fires what is due by then and ends at that time', async () => {
  const clock = new VirtualClock(0)
  const fired: number[] = []
  const again = () => {
    fired.push(clock.now())
    clock.after(4, again)
  }
  void Promise.resolve().then(again)
  await clock.advance(0)
  expect([fired, clock.now()]).toEqual([[0], 0])
  await clock.advance(8)
  expect([fired, clock.now()]).toEqual([[0, 4, 8], 8])
  await clock.advance(3)
  expect([fired, clock.now()]).toEqual([[0, 4, 8], 11])
})

test('virtual clock: an error thrown in a timer rejects advance()', async () => {
  const clock = new VirtualClock(0)
  clock.after(1, () => {
    throw new Error('broken')
  })
  await expect(clock.advance(1)).rejects.toThrow('broken')
})
