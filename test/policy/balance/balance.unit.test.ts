import fc from 'fast-check'
import { expect, test } from 'vitest'
import { VirtualClock } from '../../../src/simulate/virtual-clock.ts'
import { answer, type Service, seeded, virtualSidecar } from '../../support/virtual.ts'

const [A, B, C] = ['http://a', 'http://b', 'http://c'] as const

/** Answers 200 after 15 to 25 ms. */
const healthy =
  (random: () => number): Service =>
  () =>
    answer(200, 15 + 10 * random())

/** Sends `count` requests at random moments. @returns sorted response times, outcomes, and calls by endpoint. */
async function run(
  services: Record<string, Service>,
  upstream: object,
  perSecond: number,
  count: number,
  seed: number,
) {
  const clock = new VirtualClock(0)
  const random = seeded(seed)
  const calls: Record<string, number> = {}
  const counted = Object.fromEntries(
    Object.entries(services).map(([origin, service]) => [
      origin,
      ((exchange) => {
        calls[origin] = (calls[origin] ?? 0) + 1
        return service(exchange)
      }) satisfies Service,
    ]),
  )
  const { get } = virtualSidecar(clock, upstream, counted, random)
  const answers: Promise<{ outcome: number | string; ms: number }>[] = []
  for (let i = 0; i < count; i += 1) {
    answers.push(get('/x'))
    await clock.advance((-Math.log(1 - random()) * 1_000) / perSecond)
  }
  await clock.advance(60_000)
  const all = await Promise.all(answers)
  return { calls, times: all.map(({ ms }) => ms).sort((a, b) => a - b), outcomes: all.map(({ outcome }) => outcome) }
}

const at = (times: readonly number[], share: number) => times[Math.floor(times.length * share)] ?? 0

test('balance: a slow and a failing endpoint raise p99 by less than half', async () => {
  for (const seed of [1, 2, 3]) {
    const random = seeded(seed)
    const well = healthy(random)
    const slow: Service = () => answer(200, 300 + 200 * random())
    const failing: Service = () => answer(503, 1)
    const calm = await run({ [A]: well, [B]: well, [C]: well }, {}, 100, 2_000, seed)
    const rough = await run({ [A]: well, [B]: slow, [C]: failing }, {}, 100, 2_000, seed)
    expect(new Set(rough.outcomes)).toEqual(new Set([200]))
    expect(at(rough.times, 0.99)).toBeLessThan(1.5 * at(calm.times, 0.99))
    // Equal shares would give each of them more than 600 calls.
    expect(rough.calls[B]).toBeLessThan(20)
    expect(rough.calls[C]).toBeLessThan(20)
  }
})

test('balance: equal endpoints get equal shares', async () => {
  const well = healthy(seeded(4))
  const { calls } = await run({ [A]: well, [B]: well, [C]: well }, {}, 500, 9_000, 4)
  for (const origin of [A, B, C]) expect(calls[origin]).toBeGreaterThan(2_700)
})

test('balance: a recovered endpoint gets its share gradually; without slowStart, at once', async () => {
  const shares = async (slowStart: string) => {
    const clock = new VirtualClock(0)
    const random = seeded(5)
    let isDown = true
    const got = { a: 0, b: 0 }
    const a: Service = () => {
      got.a += 1
      return answer(isDown ? 503 : 200, 20)
    }
    const b: Service = () => {
      got.b += 1
      return answer(200, 20)
    }
    const settings = { balance: { slowStart, decay: '1s' }, breaker: { openFor: '5s' } }
    const { get } = virtualSidecar(clock, settings, { [A]: a, [B]: b }, random)
    const share = async (seconds: number) => {
      const before = { ...got }
      for (let i = 0; i < seconds * 200; i += 1) {
        void get('/x')
        await clock.advance(5)
      }
      return (got.a - before.a) / (got.a - before.a + got.b - before.b)
    }
    await share(5)
    isDown = false
    await share(6)
    return [await share(5), await share(30), await share(10)] as const
  }
  const [first = 0, , last = 0] = await shares('30s')
  expect(first).toBeLessThan(0.4)
  expect(last).toBeGreaterThan(0.45)
  const [atOnce = 0] = await shares('0ms')
  expect(atOnce).toBeGreaterThan(0.45)
})

test('balance: a retry returns to a tried endpoint only when no untried one is available', async () => {
  const step = fc.record({ status: fc.constantFrom(200, 503, 503), ms: fc.integer({ min: 0, max: 500 }) })
  const plan = fc.record({
    scripts: fc.array(fc.array(step, { minLength: 1, maxLength: 8 }), { minLength: 2, maxLength: 4 }),
    gaps: fc.array(fc.integer({ min: 0, max: 3_000 }), { minLength: 1, maxLength: 60 }),
    seed: fc.integer(),
  })
  await fc.assert(
    fc.asyncProperty(plan, async ({ scripts, gaps, seed }) => {
      const clock = new VirtualClock(0)
      const available = () => {
        const endpoints = sidecar.snapshot().upstreams[0]?.endpoints ?? []
        return endpoints.filter(({ isAvailable }) => isAvailable).map(({ origin }) => origin)
      }
      const services = scripts.map((script, i): [string, Service] => {
        let n = 0
        return [
          `http://${i}.test`,
          ({ tried }) => {
            const [origin] = tried.slice(-1)
            const before = tried.slice(0, -1)
            if (origin !== undefined && before.includes(origin))
              expect(available().filter((other) => !tried.includes(other))).toEqual([])
            const { status, ms } = script[n++ % script.length] ?? { status: 200, ms: 0 }
            return answer(status, ms)
          },
        ]
      })
      const settings = { breaker: { consecutiveFailures: 2, openFor: '3s', halfOpenProbes: 1 }, retry: { attempts: 6 } }
      const sidecar = virtualSidecar(clock, settings, Object.fromEntries(services), seeded(seed))
      const answers: Promise<unknown>[] = []
      for (const gap of gaps) {
        answers.push(sidecar.get('/x'))
        await clock.advance(gap)
      }
      await clock.advance(60_000)
      await Promise.all(answers)
    }),
    { numRuns: 100 },
  )
})
