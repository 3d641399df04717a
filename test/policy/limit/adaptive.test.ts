import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { SimulatedReply } from '../../../src/simulate/simulated-call.ts'
import { VirtualClock } from '../../../src/simulate/virtual-clock.ts'
import { answer, type Service, seeded, virtualSidecar } from '../../support/virtual.ts'

type Times = 'steady' | 'exponential' | 'mixed'

const QUIET = {
  retry: { attempts: 1 },
  breaker: { consecutiveFailures: 100_000, failureRate: false },
  timeout: { attempt: '1s', total: '2s' },
  connections: { max: 512 },
  routes: [{ match: 'GET /long', timeout: { attempt: '3s', total: '4s' } }],
}

/**
 * A sidecar and its upstream, which has 20 workers, takes 100 ms a call and finishes calls whose client has given up.
 * Such an upstream collapses under overload: it spends its workers on answers that nobody receives.
 */
function scene(times: Times, adaptive: boolean, seed: number) {
  const clock = new VirtualClock(0)
  const random = seeded(seed)
  const state = { workers: 20, slowness: 1, busy: 0 }
  const queue: (() => void)[] = []
  const next = () => {
    while (state.busy < state.workers && queue.length > 0) {
      state.busy += 1
      queue.shift()?.()
    }
  }
  const lengthOf = (path: string) => {
    if (times === 'exponential') return -100 * Math.log(1 - random())
    // Long uploads and short polls, mixed: also 100 ms on average.
    const ms = times === 'steady' ? 100 : path === '/long' ? 500 : 11
    return ms * (0.75 + 0.5 * random())
  }
  const service: Service = ({ path }) => {
    const { promise, resolve } = Promise.withResolvers<SimulatedReply>()
    queue.push(() => {
      const ms = lengthOf(path) * state.slowness
      resolve(answer(200, ms))
      clock.after(ms, () => {
        state.busy -= 1
        next()
      })
    })
    next()
    return promise
  }
  const concurrency = { max: 512, queue: 1_000, queueTimeout: '1s', adaptive }
  const { get, snapshot } = virtualSidecar(clock, { ...QUIET, concurrency }, { 'http://a': service }, random)

  /** Sends requests at random times, without waiting for answers. @returns responses with status 200 per second. */
  const load = async (perSecond: number, seconds: number) => {
    const until = clock.now() + seconds * 1_000
    let good = 0
    while (clock.now() < until) {
      void get(random() < 0.182 ? '/long' : '/short').then(({ outcome }) => {
        if (outcome === 200) good += 1
      })
      await clock.advance((-Math.log(1 - random()) * 1_000) / perSecond)
    }
    return good / seconds
  }
  const upstream = () => {
    const [only] = snapshot().upstreams
    if (only === undefined) throw new Error('no upstream')
    return only
  }
  return { state, load, upstream }
}

const halveWorkers = (state: { workers: number }) => {
  state.workers = 10
}
const halveSpeed = (state: { slowness: number }) => {
  state.slowness = 2
}

test.each([
  ['half of its workers', halveWorkers],
  ['half of its speed', halveSpeed],
] as const)('adaptive limit: an upstream that loses %s still answers four fifths of its capacity', async (_, lose) => {
  for (const times of ['steady', 'exponential', 'mixed'] as const) {
    const { state, load } = scene(times, true, 1)
    expect(await load(150, 60), times).toBeGreaterThan(140)
    lose(state)
    expect(await load(150, 120), times).toBeGreaterThan(80)
  }
  const fixed = scene('steady', false, 1)
  expect(await fixed.load(150, 60)).toBeGreaterThan(140)
  lose(fixed.state)
  expect(await fixed.load(150, 120)).toBeLessThan(20)
})

test('adaptive limit: rises again when the upstream recovers, and keeps half its value at low load', async () => {
  const { state, load, upstream } = scene('steady', true, 2)
  await load(150, 30)
  halveWorkers(state)
  await load(150, 60)
  expect(upstream().limit).toBeLessThan(50)
  expect(upstream().slowdown).toBeGreaterThan(1)
  state.workers = 20
  await load(150, 30)
  expect(await load(150, 30)).toBeGreaterThan(140)
  const { limit } = upstream()
  await load(2, 60)
  expect(upstream().limit).toBeGreaterThan(limit / 2 - 1)
})

test('adaptive limit: for any upstream, limit stays from 2 to max, and at most max are in flight', async () => {
  const plannedAnswer = fc.record({
    status: fc.constantFrom(200, 200, 200, 404, 429, 503),
    ms: fc.integer({ min: 1, max: 3_000 }),
  })
  const plan = fc.record({
    max: fc.integer({ min: 1, max: 60 }),
    answers: fc.array(plannedAnswer, { minLength: 1, maxLength: 40 }),
  })
  await fc.assert(
    fc.asyncProperty(plan, async ({ max, answers }) => {
      const clock = new VirtualClock(0)
      let n = 0
      const service: Service = () => {
        const { status, ms } = answers[n % answers.length] ?? { status: 200, ms: 1 }
        n += 1
        return answer(status, ms)
      }
      const concurrency = { max, queue: 1_000, queueTimeout: '10s', adaptive: true }
      const { get, snapshot } = virtualSidecar(clock, { ...QUIET, concurrency }, { 'http://a': service }, seeded(1))
      for (let i = 0; i < 300; i += 1) {
        void get('/x')
        await clock.advance(5)
        const { limit, inFlight: admitted } = snapshot().upstreams[0] ?? { limit: 0, inFlight: 0 }
        expect(limit).toBeGreaterThanOrEqual(Math.min(2, max))
        expect(limit).toBeLessThanOrEqual(max)
        expect(admitted).toBeLessThanOrEqual(max)
      }
    }),
    { numRuns: 30 },
  )
})
