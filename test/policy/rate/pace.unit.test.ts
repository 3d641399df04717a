import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { loadConfig } from '../../../src/config/load.ts'
import type { Deps } from '../../../src/deps.ts'
import { ProxyError } from '../../../src/errors.ts'
import type { Exchange, Reply } from '../../../src/policy/exchange.ts'
import { freshGroup } from '../../../src/policy/paths/group.ts'
import { Link } from '../../../src/policy/link.ts'
import { pacing, repace } from '../../../src/policy/rate/rate.ts'
import { freshPace, type RateLimit } from '../../../src/policy/rate/window.ts'
import { fakeClock } from '../../support/fake-clock.ts'

type Rate = Omit<RateLimit, 'queueTimeoutMs'>

const TEN: Rate = { requests: 10, perMs: 10_000, burst: 3 }

/** The layer alone, around a send that records when it was called. */
function paced(rate: Rate, queueTimeoutMs = Number.POSITIVE_INFINITY) {
  const clock = fakeClock()
  const deps = { clock } as unknown as Deps
  const pace = freshPace({ ...rate, queueTimeoutMs }, clock.now())
  const starts: number[] = []
  const order: number[] = []
  let ids = 0
  const call = (deadlineAt = Number.POSITIVE_INFINITY) => {
    const id = ids
    ids += 1
    const send = pacing(
      pace,
      'attempts',
      () => undefined,
      deps,
    )(async () => {
      starts.push(clock.now())
      order.push(id)
      return {} as Reply
    })
    // A useful time of 0: a call may go until its deadline.
    const timeouts = { attemptMs: 0, usefulMs: 0 }
    const group = freshGroup('')
    const client = new Link(() => {})
    const exchange = { startedAt: clock.now(), deadlineAt, timeouts, group, client, spent: { queueMs: 0 } }
    return send(exchange as unknown as Exchange).then(
      () => 'sent',
      (error: unknown) => (error instanceof ProxyError ? error.message : error),
    )
  }
  return {
    clock,
    starts,
    order,
    call,
    /** Resolves when those that may go have gone. */
    callAll: async (count: number) => {
      for (let i = 0; i < count; i += 1) void call()
      await turn()
    },
    repaceTo: async (to: Rate) => {
      repace(pace, { ...to, queueTimeoutMs }, deps)
      await turn()
    },
  }
}

test('rate: after a start calls go one interval apart, from the first on', async () => {
  const { clock, starts, callAll } = paced(TEN)
  await callAll(4)
  await clock.advance(60_000)
  expect(starts).toEqual([0, 1_000, 2_000, 3_000])
})

test('rate: a call within the first window puts the burst off by a whole window', async () => {
  const { clock, starts, callAll } = paced(TEN)
  await clock.advance(9_999)
  await callAll(1)
  await clock.advance(9_999)
  await callAll(2)
  await clock.advance(20_000)
  await callAll(4)
  await clock.advance(20_000)
  expect(starts).toEqual([9_999, 19_998, 20_998, 39_998, 39_998, 39_998, 40_998])
})

test('rate: the window wins where the pacer would allow a call', async () => {
  const { clock, starts, callAll } = paced({ ...TEN, burst: 10 })
  await clock.advance(10_000)
  await callAll(12)
  await clock.advance(60_000)
  expect(starts).toEqual([...Array(10).fill(10_000), 20_000, 20_000])
})

test('rate: an uneven interval costs no call of a burst, and a window ends to the ms', async () => {
  const { clock, starts, callAll } = paced({ requests: 90, perMs: 60_000, burst: 18 })
  await clock.advance(60_000)
  await callAll(91)
  await clock.advance(70_000)
  const spread = Array.from({ length: 72 }, (_, i) => 60_000 + ((i + 1) * 60_000) / 90)
  expect(starts.slice(0, 18)).toEqual(Array(18).fill(60_000))
  for (const [i, at] of starts.slice(18, 90).entries()) expect(at).toBeCloseTo(spread[i] ?? 0, 6)
  expect(starts.slice(90)).toEqual([120_000])
})

test('rate: a late timer is made up for by 10 ms, and a pause makes no burst', async () => {
  const { clock, starts, callAll } = paced({ requests: 1_000, perMs: 1_000, burst: 1 })
  await callAll(800)
  await clock.stall(5)
  expect(starts).toEqual([0, 5, 5, 5, 5, 5])
  await clock.stall(500)
  expect(starts.filter((at) => at === 505).length).toBe(11)
  await clock.advance(1)
  expect(starts.at(-1)).toBe(506)
})

test('rate: a call does not overtake waiters whose timer is late', async () => {
  const { clock, order, callAll, call } = paced(TEN)
  await callAll(2)
  const stalled = clock.stall(9_000)
  void call()
  await stalled
  await clock.advance(10_000)
  expect(order).toEqual([0, 1, 2])
})

test('rate: a changed burst applies at once, and waiters keep their order', async () => {
  const { clock, starts, order, callAll, repaceTo } = paced(TEN)
  await clock.advance(10_000)
  await callAll(8)
  await repaceTo({ ...TEN, burst: 5 })
  await clock.advance(1_000)
  await repaceTo({ ...TEN, burst: 1 })
  await clock.advance(20_000)
  // The eighth call goes one interval after the six calls would have gone without a burst.
  expect(starts).toEqual([...Array(5).fill(10_000), 11_000, 16_000, 17_000])
  expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
})

test('rate: after a reload earlier calls are paced by the new interval', async () => {
  const { clock, starts, callAll, repaceTo } = paced(TEN)
  await callAll(1)
  await clock.advance(5_000)
  await callAll(1)
  await repaceTo({ ...TEN, perMs: 100_000 })
  await callAll(1)
  await clock.advance(60_000)
  expect(starts).toEqual([0, 5_000, 20_000])
})

test('rate: a waiter whose turn comes too late after a reload is told which limit', async () => {
  const { clock, call, repaceTo } = paced({ requests: 1, perMs: 4_000, burst: 1 }, 5_000)
  void call()
  const [patient, hurried] = [call(), call(4_500)]
  expect(await hurried).toBe(
    'rate.requests: 1 within 4s; the next call may go in 8 s, too late for the time that the request has left',
  )
  await clock.advance(1_000)
  await repaceTo({ requests: 1, perMs: 60_000, burst: 1 })
  expect(await patient).toBe(
    'rate.requests: 1 within 1m; the next call may go in 59 s, later than rate.queueTimeout: 5s allows',
  )
})

test('rate: lowered and raised again, it has forgotten no call', async () => {
  const { clock, starts, callAll, repaceTo } = paced({ ...TEN, burst: 10 })
  await clock.advance(10_000)
  await callAll(10)
  await repaceTo({ ...TEN, requests: 2, burst: 2 })
  await repaceTo({ ...TEN, burst: 10 })
  await callAll(1)
  await clock.advance(9_999)
  expect(starts.length).toBe(10)
  await clock.advance(1)
  expect(starts.length).toBe(11)
})

test('rate: for any reload, no call makes a window of the new rate hold too many', async () => {
  const limit = fc
    .record({ requests: fc.integer({ min: 1, max: 8 }), perMs: fc.constantFrom(840, 8_400, 84_000) })
    .chain(({ requests, perMs }) =>
      fc.record({
        requests: fc.constant(requests),
        perMs: fc.constant(perMs),
        burst: fc.integer({ min: 1, max: requests }),
      }),
    )
  const gaps = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 9_000 })), { minLength: 1, maxLength: 40 })
  await fc.assert(
    fc.asyncProperty(limit, limit, gaps, gaps, async (before, after, early, late) => {
      const { clock, starts, order, callAll, repaceTo } = paced(before)
      const arrive = async (each: readonly number[]) => {
        for (const gap of each) {
          await clock.advance(gap)
          await callAll(1)
        }
      }
      await clock.advance(before.perMs)
      await arrive(early)
      const reloadedAfter = starts.length
      await repaceTo(after)
      await arrive(late)
      await clock.advance(10_000_000)
      expect(order).toEqual(Array.from({ length: early.length + late.length }, (_, i) => i))
      for (const [i, at] of starts.entries()) {
        const { requests, perMs } = i < reloadedAfter ? before : after
        const inWindow = starts.slice(0, i + 1).filter((other) => other > at - perMs)
        expect(inWindow.length).toBeLessThanOrEqual(requests)
      }
      for (const [i, at] of starts.entries())
        for (const [j, earlier] of starts.slice(reloadedAfter, i).entries())
          expect(i - reloadedAfter - j + 1).toBeLessThanOrEqual(
            after.burst + ((at - earlier) * after.requests) / after.perMs + 1e-9,
          )
    }),
    { numRuns: 150 },
  )
})

test('rate: a burst is a fifth of the requests by default, and more than them is a fault', () => {
  const rateOf = (rate: string) => {
    const loaded = loadConfig(`upstreams: { web: { url: http://a, rate: ${rate} } }`, 'rate.yaml', {})
    return loaded.ok
      ? loaded.config.upstreams[0]?.rate
      : loaded.faults.map(({ path, line, message }) => `${line} ${path} ${message}`)
  }
  expect(rateOf('{ requests: 90, per: 60s }')).toEqual({
    requests: 90,
    perMs: 60_000,
    burst: 18,
    queueTimeoutMs: 5_000,
  })
  expect(rateOf('{ requests: 4, per: 1s, burst: 4, queueTimeout: 1m }')).toMatchObject({
    burst: 4,
    queueTimeoutMs: 60_000,
  })
  expect(rateOf('{ requests: 4, per: 1s }')).toMatchObject({ burst: 1 })
  expect(rateOf('{ requests: 4, per: 1s, burst: 5 }')).toEqual(['1 upstreams.web.rate.burst is more than requests'])
})
