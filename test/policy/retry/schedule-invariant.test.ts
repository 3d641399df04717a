import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ask } from '../../support/client.ts'
import { fakeClock } from '../../support/fake-clock.ts'
import { startProxy } from '../../support/proxy.ts'
import { type Scene, scriptedUpstream } from '../../support/scripted-upstream.ts'

const RUNS = 60

/** Closes its connection: a reset of a reused connection would not count as an attempt. */
const answer = (status: number) => ({ status, headers: { connection: 'close' } })

const settings = fc.record({
  attempts: fc.integer({ min: 1, max: 8 }),
  initialMs: fc.integer({ min: 1, max: 5_000 }),
  factor: fc.double({ min: 1, max: 4, noNaN: true }),
  maxMs: fc.integer({ min: 5_000, max: 20_000 }),
  jitter: fc.double({ min: 0, max: 1, noNaN: true }),
  totalMs: fc.integer({ min: 1, max: 60_000 }),
  draws: fc.infiniteStream(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })),
  faults: fc.array(fc.constantFrom<Scene>('reset', ...[503, 502, 429].map(answer)), { minLength: 8, maxLength: 8 }),
})

test('retry: for any settings, waits stay in bounds, attempts within their number and deadline', {
  timeout: 60_000,
}, async () => {
  let repeated = 0
  await fc.assert(
    fc.asyncProperty(settings, async ({ draws, faults, totalMs, ...rules }) => {
      const cleanUps: (() => unknown)[] = []
      const scope = { onTestFinished: (cleanUp: () => unknown) => void cleanUps.push(cleanUp) }
      const clock = fakeClock()
      const upstream = await scriptedUpstream(scope, clock, faults)
      const { attempts, initialMs, factor, maxMs, jitter } = rules
      const proxy = await startProxy(scope, {
        clock,
        random: () => draws.next().value,
        upstreams: {
          web: {
            url: upstream.origin,
            listen: '127.0.0.1:0',
            timeout: { attempt: '1h', total: `${totalMs}ms` },
            retry: { attempts, backoff: { initial: `${initialMs}ms`, factor, max: `${maxMs}ms`, jitter } },
            breaker: { consecutiveFailures: 1_000, failureRate: false },
            connections: { idle: '1ms' },
          },
        },
      })
      const asked = ask(proxy.own('web'))
      const isRetry = ({ msg }: { msg?: string }) => msg === 'retry'
      for (let k = 1; ; k += 1) {
        const wait = Promise.withResolvers<number>()
        void proxy.logged((line) => {
          const retries = proxy.log.filter(isRetry)
          if (line !== retries[k - 1]) return false
          wait.resolve(Number(line.wait_ms))
          return true
        })
        const waitMs = await Promise.race([wait.promise, asked.then(() => undefined)])
        if (waitMs === undefined) break
        const nominal = Math.min(initialMs * factor ** (k - 1), maxMs)
        // The last try may come sooner than the schedule says: while it is of use.
        const untilUseful = totalMs - Math.min(1_000, totalMs / 2) - clock.now()
        expect(waitMs).toBeGreaterThanOrEqual(Math.min(nominal * (1 - jitter), untilUseful) - 0.001)
        expect(waitMs).toBeLessThanOrEqual(nominal * (1 + jitter) + 0.001)
        repeated += 1
        await clock.advance(waitMs + 0.001)
      }
      await asked
      expect(upstream.arrivals.length).toBeLessThanOrEqual(attempts)
      for (const { at } of upstream.arrivals) expect(at).toBeLessThanOrEqual(totalMs)
      for (const cleanUp of cleanUps.reverse()) await cleanUp()
    }),
    { numRuns: RUNS, seed: 20_260_102 },
  )
  expect(repeated).toBeGreaterThan(RUNS)
})
