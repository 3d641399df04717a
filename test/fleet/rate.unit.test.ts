import fc from 'fast-check'
import { expect, test } from 'vitest'
import { load, mostWithin, virtualFleet } from './virtual-fleet.ts'

const RATE = { requests: 60, per: '2s', burst: 12, queueTimeout: '3s' }

test('fleet: one window for all sidecars is never exceeded, and at least nine tenths of it are used', async () => {
  const fleet = virtualFleet(5, { rate: RATE })
  await fleet.clock.advance(2_000)
  const outcomes = await load(fleet, 5, 60, 20_000)
  await fleet.clock.advance(10_000)
  await Promise.all(outcomes)
  expect(mostWithin(fleet.calls, 2_000)).toBeLessThanOrEqual(60)
  expect(fleet.calls.filter(({ at }) => at < 22_000).length).toBeGreaterThan(0.9 * 600)
  const shares = [0, 1, 2, 3, 4].map((pod) => fleet.calls.filter((call) => call.pod === pod).length)
  expect(Math.min(...shares)).toBeGreaterThan(0.5 * Math.max(...shares))
})

test('fleet: for any load, round trips and lost answers, no window is exceeded while Redis is there', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 6 }),
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 1, max: 120 }),
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 1, max: 1_000 }),
      async (pods, requests, perSecond, roundTripMs, seed) => {
        const rate = { requests, per: '2s', burst: Math.ceil(requests / 4), queueTimeout: '3s' }
        const fleet = virtualFleet(pods, { rate }, { roundTripMs: () => roundTripMs, seed })
        const outcomes = await load(fleet, pods, perSecond, 8_000, seed)
        await fleet.clock.advance(10_000)
        await Promise.all(outcomes)
        expect(mostWithin(fleet.calls, 2_000)).toBeLessThanOrEqual(requests)
      },
    ),
    { numRuns: 20 },
  )
})

test('fleet: a request waits for no round trip while there are turns', async () => {
  const fleet = virtualFleet(2, { rate: { requests: 100, per: '1s', burst: 50 } }, { roundTripMs: () => 20 })
  await fleet.clock.advance(1_500)
  const outcomes = await load(fleet, 1, 30, 4_000)
  await fleet.clock.advance(1_000)
  const slow = (await Promise.all(outcomes)).filter(({ ms }) => ms > 12).length
  expect(slow).toBeLessThan(outcomes.length / 10)
  expect(fleet.redis.calls).toBeLessThan(outcomes.length)
})

test('fleet: without Redis nobody waits longer than 50 ms for it, and each sidecar takes its share', async () => {
  const fleet = virtualFleet(4, { rate: { ...RATE, queueTimeout: '500ms' } })
  const before = await load(fleet, 4, 40, 6_000)
  fleet.redis.isAway = true
  const from = fleet.clock.now()
  const during = await load(fleet, 4, 40, 10_000)
  await fleet.clock.advance(2_000)
  const outcomes = await Promise.all([...before, ...during])
  expect(outcomes.filter(({ outcome }) => outcome === 200).length).toBeGreaterThan(0.5 * outcomes.length)
  expect(fleet.events.filter((event) => event.kind === 'fleet_share' && event.isAlone)).toHaveLength(4)
  for (const pod of [0, 1, 2, 3]) {
    const own = fleet.calls.filter((call) => call.pod === pod && call.at > from + 100)
    // Times are sums of fractions.
    expect(mostWithin(own, 1_999.999)).toBeLessThanOrEqual(15)
  }
})

test('fleet: calls made without Redis are reported when it is back, and calls that it has forgotten, too', async () => {
  const fleet = virtualFleet(3, { rate: { requests: 30, per: '5s', burst: 6, queueTimeout: '4s' } })
  const outcomes = await load(fleet, 3, 20, 10_000)
  fleet.redis.isAway = true
  outcomes.push(...(await load(fleet, 3, 20, 4_000)))
  fleet.redis.forget()
  fleet.redis.isAway = false
  const back = fleet.clock.now()
  outcomes.push(...(await load(fleet, 3, 20, 15_000)))
  await fleet.clock.advance(10_000)
  await Promise.all(outcomes)
  expect(fleet.events.filter((event) => event.kind === 'fleet_share' && !event.isAlone).length).toBeGreaterThanOrEqual(
    3,
  )
  const later = fleet.calls.filter(({ at }) => at > back + 300 - 5_000)
  expect(mostWithin(later, 5_000)).toBeLessThanOrEqual(30)
  const used = fleet.calls.filter(({ at }) => at > back + 5_000 && at <= back + 15_000).length
  expect(used).toBeGreaterThan(0.9 * 60)
})
