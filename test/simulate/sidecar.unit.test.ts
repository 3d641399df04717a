import { expect, test } from 'vitest'
import type { SimulatedReply } from '../../src/simulate/simulated-call.ts'
import { VirtualClock } from '../../src/simulate/virtual-clock.ts'
import { answer, type Service, virtualSidecar } from '../support/virtual.ts'

const ONCE = { retry: { attempts: 1 } }
const sidecarOf = (clock: VirtualClock, service: Service) =>
  virtualSidecar(clock, ONCE, { 'http://a': service }, () => 0.5)

test('simulated sidecar: a promised answer comes so long after it is known', async () => {
  const clock = new VirtualClock(0)
  const { promise, resolve } = Promise.withResolvers<SimulatedReply>()
  const { get } = sidecarOf(clock, () => promise)
  const got = get('/x')
  clock.after(30, () => resolve(answer(201, 12, { n: 1 }, ['x-a', 'b'])))
  await clock.advance(1_000)
  expect(await got).toEqual({ outcome: 201, ms: 42, attempts: 1, body: '{"n":1}', retryAfterS: undefined })
})

test('simulated sidecar: an answer that is promised to a client who left has no effect', async () => {
  const clock = new VirtualClock(0)
  const { promise, resolve } = Promise.withResolvers<SimulatedReply>()
  const { get, events } = sidecarOf(clock, () => promise)
  const got = get('/x', undefined, 20)
  clock.after(30, () => resolve(answer(200, 0)))
  await clock.advance(1_000)
  expect(await got).toMatchObject({ outcome: 'client_gone', ms: 20 })
  expect(events.map(({ kind, at }) => [kind, at])).toEqual([
    ['attempt', 20],
    ['request', 20],
  ])
})

test('simulated sidecar: an error thrown by the world rejects the run of the clock', async () => {
  const clock = new VirtualClock(0)
  const { get } = sidecarOf(clock, () => {
    throw new Error('broken')
  })
  void get('/x')
  await expect(clock.advance(1)).rejects.toThrow('broken')
})
