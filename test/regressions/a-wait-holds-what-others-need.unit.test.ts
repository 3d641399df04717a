/**
 * A request in its back-off kept its slot and its connection, so that calls of an idle upstream were refused; a schedule that was
 * over early left the rest of the deadline unused; one budget for all routes let a failing route spend the others' retries.
 */

import { expect, test } from 'vitest'
import type { Got } from '../../src/simulate/simulated-request.ts'
import { VirtualClock } from '../../src/simulate/virtual-clock.ts'
import { answer, type Service, seeded, virtualSidecar } from '../support/virtual.ts'

const CALM = { breaker: { consecutiveFailures: 1_000, failureRate: false } }
const NO_JITTER = { backoff: { jitter: 0 } }

function served(service: Service, settings: object) {
  const clock = new VirtualClock(0)
  return {
    clock,
    ...virtualSidecar(clock, { ...CALM, ...settings }, { 'http://a': service }, seeded(5)),
  }
}

const byPath: Service = ({ path }) => answer(path === '/ill' ? 503 : 200, 10)

test('retry: eight requests in their back-off take none of eight slots', async () => {
  const { get, clock, snapshot } = served(byPath, {
    concurrency: { max: 8, queue: 0 },
    connections: { max: 8 },
    retry: { backoff: { initial: '8s', jitter: 0 } },
  })
  const waiting = Array.from({ length: 8 }, () => get('/ill'))
  await clock.advance(20)
  expect(snapshot().upstreams[0]?.inFlight).toBe(0)
  const well = Array.from({ length: 5 }, () => get('/well'))
  await clock.advance(20)
  for (const one of well) expect(await one).toMatchObject({ outcome: 200, ms: 10 })
  await clock.advance(70_000)
  await Promise.all(waiting)
})

test('retry: past retry.waiting a failed answer is relayed at once, and no newcomer is turned away', async () => {
  const { get, clock } = served(byPath, { retry: { waiting: 2, ...NO_JITTER } })
  const [first, second, third] = [get('/ill'), get('/ill'), get('/ill')]
  await clock.advance(20)
  expect(await third).toMatchObject({ outcome: 503, ms: 10, attempts: 1 })
  const well = get('/well')
  await clock.advance(20)
  expect((await well).outcome).toBe(200)
  await clock.advance(70_000)
  expect((await Promise.all([first, second])).map(({ attempts }) => attempts)).toEqual([5, 5])
})

/** One request with a total of 25 s. */
async function withinTotal(clock: VirtualClock, service: Service): Promise<Got> {
  const settings = { ...CALM, timeout: { total: '25s' }, retry: NO_JITTER }
  const { get } = virtualSidecar(clock, settings, { 'http://a': service }, seeded(5))
  const got = get('/x')
  await clock.advance(25_000)
  return got
}

test('retry: the last try comes while it is of use, and not before', async () => {
  const calls: number[] = []
  const clock = new VirtualClock(0)
  const service: Service = () => {
    calls.push(clock.now())
    return answer(clock.now() < 17_000 ? 503 : 200, 10)
  }
  const { outcome } = await withinTotal(clock, service)
  expect(outcome).toBe(200)
  // Waits of 2, 4 and 8 s; 16 s more would be too late. A call of a path that is not known takes a second.
  expect(calls).toEqual([0, 2_010, 6_020, 14_030, 24_000])
})

test('retry: the last try also comes where time passes between two looks at the clock', async () => {
  let looks = 0
  class CreepingClock extends VirtualClock {
    override now(): number {
      looks += 1
      return super.now() + looks / 1_000
    }
  }
  const service: Service = () => answer(503, 10)
  const { attempts } = await withinTotal(new CreepingClock(0), service)
  expect(attempts).toBe(5)
})

test('retry: a request in its back-off takes its turn before those who came after it', async () => {
  const order: string[] = []
  const service: Service = ({ path }) => {
    order.push(path)
    return answer(path === '/first' && order.length === 1 ? 503 : 200, 3_000)
  }
  const { get, clock } = served(service, { concurrency: { max: 1, queueTimeout: '30s' }, retry: NO_JITTER })
  const first = get('/first')
  await clock.advance(3_500)
  const others = [get('/second'), get('/third'), get('/fourth')]
  await clock.advance(60_000)
  expect((await Promise.all([first, ...others])).map(({ outcome }) => outcome)).toEqual([200, 200, 200, 200])
  // At 5 s the first one is back, while the second is under way.
  expect(order).toEqual(['/first', '/second', '/first', '/third', '/fourth'])
})

test('retry.budget of a route: a failing route does not spend what another one needs', async () => {
  const failedOnce = new Set<string>()
  const service: Service = ({ id, path }) => {
    const isFirst = !failedOnce.has(id)
    failedOnce.add(id)
    return answer(path === '/broken' || isFirst ? 503 : 200, 1)
  }
  const { get, clock } = served(service, {
    retry: { ...NO_JITTER, budget: { ratio: 0, minPerSecond: 0.1, window: '10s' } },
    routes: [{ match: 'GET /broken', retry: { budget: { ratio: 0, minPerSecond: 0.1, window: '10s' } } }],
  })
  const broken = Array.from({ length: 5 }, () => get('/broken'))
  const other = get('/x')
  await clock.advance(60_000)
  expect(await other).toMatchObject({ outcome: 200, attempts: 2 })
  expect((await Promise.all(broken)).filter(({ attempts }) => attempts > 1).length).toBeGreaterThan(0)
})
