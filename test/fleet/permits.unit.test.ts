import { expect, test } from 'vitest'
import { simulatedReply } from '../../src/simulate/simulated-call.ts'
import { load, virtualFleet, type VirtualFleet } from './virtual-fleet.ts'

/** Largest number of calls of that length that ran at once. */
function mostAtOnce(calls: VirtualFleet['calls'], lengthMs: number): number {
  return Math.max(...calls.map(({ at }) => calls.filter((one) => one.at <= at && one.at + lengthMs > at).length))
}

const SLOW = { answer: () => simulatedReply(200, 200) }

test('fleet: concurrency.fleet holds for all sidecars together, is used up, and every sidecar has its turn', async () => {
  const fleet = virtualFleet(4, { concurrency: { fleet: 6, queueTimeout: '10s' } }, SLOW)
  const outcomes = await load(fleet, 4, 35, 10_000)
  await fleet.clock.advance(15_000)
  const done = await Promise.all(outcomes)
  expect(mostAtOnce(fleet.calls, 200)).toBe(6)
  expect(fleet.calls.filter(({ at }) => at < 10_000).length).toBeGreaterThan(0.85 * 300)
  const shares = [0, 1, 2, 3].map((pod) => fleet.calls.filter((call) => call.pod === pod).length)
  expect(Math.min(...shares)).toBeGreaterThan(0.5 * Math.max(...shares))
  expect(done.filter(({ outcome }) => outcome === 200).length).toBeGreaterThan(0.9 * done.length)
})

test('fleet: one GPU for all sidecars serves them one after the other, in a bounded time', async () => {
  const top = { limits: { gpu: { fleet: 1, queueTimeout: '20s' } } }
  const fleet = virtualFleet(3, { limit: 'gpu' }, { ...SLOW, top })
  const outcomes = [0, 1, 2, 0, 1, 2, 0, 1, 2].map((pod) => fleet.get(pod))
  await fleet.clock.advance(4_000)
  expect((await Promise.all(outcomes)).map(({ outcome }) => outcome)).toEqual(Array(9).fill(200))
  expect(mostAtOnce(fleet.calls, 200)).toBe(1)
  expect(fleet.calls.at(-1)?.at).toBeLessThan(2_400)
})

test('fleet: a refusal names the limit of the fleet', async () => {
  const top = { limits: { gpu: { fleet: 1, queue: 0 } } }
  const fleet = virtualFleet(2, { limit: 'gpu' }, { ...SLOW, top })
  const first = fleet.get(0)
  await fleet.clock.advance(50)
  const second = fleet.get(1)
  await fleet.clock.advance(1_000)
  expect((await first).outcome).toBe(200)
  expect(await second).toMatchObject({ outcome: 'queue_full', ms: 2 })
  const third = fleet.get(1)
  await fleet.clock.advance(1_000)
  expect((await third).outcome).toBe(200)
})

test('fleet: permits of a sidecar that died are free within 10 s', async () => {
  const top = { limits: { gpu: { fleet: 1, queueTimeout: '30s' } } }
  const fleet = virtualFleet(
    2,
    { limit: 'gpu', timeout: { total: '60s' } },
    { answer: (_, pod) => simulatedReply(200, pod === 0 ? 50_000 : 100), top },
  )
  void fleet.get(0)
  await fleet.clock.advance(100)
  fleet.redis.cut('pod0')
  const second = fleet.get(1)
  await fleet.clock.advance(10_000)
  const got = await second
  expect(got.outcome).toBe(200)
  expect(got.ms).toBeLessThan(10_000)
  await fleet.clock.advance(60_000)
})

test('fleet: without Redis each sidecar has its share of the permits, at least one; then they are shared again', async () => {
  const fleet = virtualFleet(3, { concurrency: { fleet: 7, queueTimeout: '10s' } }, SLOW)
  fleet.redis.isAway = true
  const alone = await load(fleet, 3, 60, 3_000)
  const until = fleet.clock.now()
  const shares = [0, 1, 2].map((pod) =>
    mostAtOnce(
      fleet.calls.filter((call) => call.pod === pod),
      200,
    ),
  )
  expect(shares).toEqual([2, 2, 2])
  fleet.redis.isAway = false
  const together = await load(fleet, 3, 60, 3_000)
  await fleet.clock.advance(20_000)
  await Promise.all([...alone, ...together])
  expect(
    mostAtOnce(
      fleet.calls.filter(({ at }) => at > until + 600),
      200,
    ),
  ).toBe(7)
})

test('fleet: when Redis goes, there are at most the permits in use and a share of each other sidecar', async () => {
  const [permits, pods, callMs] = [3, 5, 4_000]
  const long = { answer: () => simulatedReply(200, callMs) }
  const fleet = virtualFleet(pods, { concurrency: { fleet: permits, queueTimeout: '10s' } }, long)
  await fleet.clock.advance(1_500)
  const held = Array.from({ length: permits }, () => fleet.get(0))
  await fleet.clock.advance(500)
  expect(mostAtOnce(fleet.calls, callMs)).toBe(permits)
  fleet.redis.isAway = true
  const others = [0, 1, 2, 3, 4].flatMap((pod) => [fleet.get(pod), fleet.get(pod)])
  await fleet.clock.advance(3_000)
  expect(mostAtOnce(fleet.calls, callMs)).toBe(permits + pods - 1)
  await fleet.clock.advance(20_000)
  expect((await Promise.all([...held, ...others])).map(({ outcome }) => outcome)).toContain(200)
  // Once the calls from before are over, the shares alone: one for each sidecar, since the limit is lower than their number.
  expect(
    mostAtOnce(
      fleet.calls.filter(({ at }) => at > 5_000),
      callMs,
    ),
  ).toBe(pods)
})
