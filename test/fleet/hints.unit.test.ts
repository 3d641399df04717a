import { expect, test } from 'vitest'
import { simulatedReply } from '../../src/simulate/simulated-call.ts'
import { answer } from '../support/virtual.ts'
import { virtualFleet } from './virtual-fleet.ts'

const openings = (fleet: ReturnType<typeof virtualFleet>) =>
  fleet.events.flatMap((event) => (event.kind === 'breaker' && event.to === 'open' ? [[event.pod, event.cause]] : []))

const BREAKER = { breaker: { consecutiveFailures: 6, failureRate: false, patience: '0ms', openFor: '2s' } }

test('fleet: while one breaker is open, half as many failures of the same kind open the others; a hint alone opens none', async () => {
  const status = { now: 503 }
  const fleet = virtualFleet(3, BREAKER, { answer: () => simulatedReply(status.now, 10) })
  const fail = async (pod: number, times: number) => {
    for (let i = 0; i < times; i += 1) {
      void fleet.get(pod)
      await fleet.clock.advance(20)
    }
  }
  await fail(1, 2)
  await fail(0, 6)
  expect(openings(fleet)).toEqual([[0, 'consecutive']])
  await fail(1, 1)
  expect(openings(fleet)).toEqual([
    [0, 'consecutive'],
    [1, 'hint'],
  ])
  status.now = 500
  await fail(2, 5)
  expect(openings(fleet)).toHaveLength(2)
  await fleet.clock.advance(10_000)
})

test('fleet: one sidecar at a time probes; where it succeeds the others probe at once', async () => {
  const state = { isWell: false }
  const settings = { breaker: { ...BREAKER.breaker, patience: '5s', halfOpenProbes: 1 } }
  const fleet = virtualFleet(3, settings, { answer: () => simulatedReply(state.isWell ? 200 : 503, 400) })
  for (const pod of [0, 1, 2]) for (let i = 0; i < 6; i += 1) void fleet.get(pod)
  await fleet.clock.advance(500)
  expect(openings(fleet)).toHaveLength(3)
  const before = fleet.calls.length
  const waiting = [0, 1, 2].map((pod) => fleet.get(pod))
  state.isWell = true
  await fleet.clock.advance(2_300)
  expect(fleet.calls.slice(before)).toHaveLength(1)
  await fleet.clock.advance(2_000)
  expect((await Promise.all(waiting)).map(({ outcome }) => outcome)).toEqual([200, 200, 200])
  const [probe, ...others] = fleet.calls.slice(before)
  for (const { at } of others) expect(at - (probe?.at ?? 0)).toBeLessThan(450)
})

test('fleet: a Retry-After that one sidecar got is waited for by all, and they come back one after the other', async () => {
  const state = { until: 3_000 }
  const fleet = virtualFleet(
    4,
    {},
    {
      answer: () =>
        fleet.clock.now() < state.until ? answer(429, 10, undefined, ['retry-after', '3']) : simulatedReply(200, 10),
    },
  )
  const first = fleet.get(0)
  await fleet.clock.advance(50)
  expect((await first).outcome).toBe(429)
  const outcomes = [1, 2, 3, 1, 2, 3].map((pod) => fleet.get(pod))
  await fleet.clock.advance(2_900)
  expect(fleet.calls).toHaveLength(1)
  await fleet.clock.advance(5_000)
  expect((await Promise.all(outcomes)).map(({ outcome }) => outcome)).toEqual(Array(6).fill(200))
  const returns = [1, 2, 3].map((pod) => fleet.calls.find((call) => call.pod === pod)?.at ?? 0)
  expect(new Set(returns).size).toBe(3)
})
