import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Got } from '../../../src/simulate/simulated-request.ts'
import { VirtualClock } from '../../../src/simulate/virtual-clock.ts'
import { answer, type Service, seeded, virtualSidecar } from '../../support/virtual.ts'

const CALM = { breaker: { consecutiveFailures: 100_000, failureRate: false }, connections: { max: 1_000 } }

/** The earliest time at which each call goes, from the definition: no ring, no theoretical arrival time. */
function modelled(arrivals: readonly Arrival[], { requests, perMs, burst, queueTimeoutMs }: Limits) {
  const intervalMs = perMs / requests
  const starts: number[] = []
  let isFresh = true
  return arrivals.map(({ at, patience }) => {
    isFresh &&= at - (starts.at(-1) ?? 0) < perMs
    const atOnce = isFresh ? 1 : burst
    const start = Math.max(
      at,
      starts.at(-1) ?? 0,
      (starts.at(-requests) ?? Number.NEGATIVE_INFINITY) + perMs,
      ...starts.map((one, i) => one + (starts.length - i - (atOnce - 1)) * intervalMs),
    )
    if (start - at > queueTimeoutMs || (start > at && start >= at + patience - USEFUL_MS))
      return { at, refusedMs: start - at }
    starts.push(start)
    return { at, start }
  })
}

/** Time that a request needs to be of use: never more than `attempt`. */
const USEFUL_MS = 1

type Arrival = { readonly at: number; readonly patience: number }
type Limits = {
  readonly requests: number
  readonly perMs: number
  readonly burst: number
  readonly queueTimeoutMs: number
}

test('rate: for any arrivals, calls go when window and pacer allow, or are refused at once', async () => {
  // The interval of each number of requests is a whole number of ms: times are exact.
  const PER_MS = 8_400
  const plan = fc.record({
    requests: fc.integer({ min: 1, max: 8 }),
    share: fc.double({ min: 0, max: 1, noNaN: true }),
    queueTimeoutMs: fc.integer({ min: 1, max: 20_000 }),
    arrivals: fc.array(
      fc.record({
        gap: fc.oneof(fc.integer({ min: 0, max: 2_500 }), fc.constantFrom(0, PER_MS - 1, PER_MS)),
        patience: fc.integer({ min: 100, max: 30_000 }),
      }),
      { minLength: 1, maxLength: 60 },
    ),
  })
  await fc.assert(
    fc.asyncProperty(plan, async ({ requests, share, queueTimeoutMs, arrivals }) => {
      const burst = Math.max(1, Math.round(share * requests))
      const limits = { requests, perMs: PER_MS, burst, queueTimeoutMs }
      const clock = new VirtualClock(0)
      const sent: { readonly id: number; readonly at: number }[] = []
      const service: Service = ({ id }) => {
        sent.push({ id: Number(id), at: clock.now() })
        return answer(200, 1)
      }
      const rate = { requests, per: `${PER_MS}ms`, burst, queueTimeout: `${queueTimeoutMs}ms` }
      const { get } = virtualSidecar(
        clock,
        { ...CALM, rate, retry: { attempts: 1 }, timeout: { attempt: `${USEFUL_MS}ms`, total: '60s' } },
        { 'http://a': service },
        seeded(1),
      )
      const calls: (Arrival & { readonly got: Promise<Got> })[] = []
      for (const { gap, patience } of arrivals) {
        await clock.advance(gap)
        calls.push({ at: clock.now(), patience, got: get('/x', patience) })
        await clock.advance(0)
      }
      await clock.advance(120_000)
      const model = modelled(calls, limits)
      expect(sent.map(({ at }) => at)).toEqual(model.flatMap(({ start }) => start ?? []))
      for (const [i, { at, id }] of sent.entries()) {
        const inWindow = sent.filter((other) => other.at > at - PER_MS && other.at <= at)
        expect(inWindow.length).toBeLessThanOrEqual(requests)
        for (const [j, before] of sent.slice(0, i).entries()) {
          expect(before.id).toBeLessThan(id)
          expect(i - j + 1).toBeLessThanOrEqual(burst + ((at - before.at) * requests) / PER_MS)
        }
      }
      for (const [i, { patience, got }] of calls.entries()) {
        const { outcome, ms, retryAfterS } = await got
        const { refusedMs } = model[i] ?? {}
        if (refusedMs === undefined) expect(ms - 1).toBeLessThanOrEqual(Math.min(patience, queueTimeoutMs))
        else expect([outcome, ms, retryAfterS]).toEqual(['rate', 0, Math.ceil(refusedMs / 1_000)])
      }
    }),
    { numRuns: 200 },
  )
})

test('hold: for any job, clients are answered on change, by upTo and deadline; polls never overlap', async () => {
  const plan = fc.record({
    doneAt: fc.integer({ min: 0, max: 60_000 }),
    slowness: fc.integer({ min: 1, max: 1_500 }),
    clients: fc.array(
      fc.record({ gap: fc.integer({ min: 0, max: 5_000 }), patience: fc.integer({ min: 1_600, max: 40_000 }) }),
      { minLength: 1, maxLength: 12 },
    ),
  })
  await fc.assert(
    fc.asyncProperty(plan, async ({ doneAt, slowness, clients }) => {
      const [UP_TO, EVERY] = [20_000, 2_000]
      const clock = new VirtualClock(0)
      const polls: { readonly from: number; readonly to: number; isWaitedFor: boolean }[] = []
      const service: Service = ({ client }) => {
        const status = clock.now() >= doneAt ? 'completed' : 'queued'
        const poll = { from: clock.now(), to: clock.now() + slowness, isWaitedFor: false }
        polls.push(poll)
        clock.after(slowness, () => {
          poll.isWaitedFor = !client.gone
        })
        return answer(200, slowness, { status })
      }
      const hold = { json: '/status', in: ['queued'], upTo: `${UP_TO}ms`, every: `${EVERY}ms` }
      const routes = [{ match: 'GET /jobs/{id}', hold }]
      const { get } = virtualSidecar(
        clock,
        { ...CALM, routes, retry: { attempts: 1 }, timeout: { total: '60s' } },
        { 'http://a': service },
        seeded(1),
      )
      const held: { readonly at: number; readonly patience: number; readonly got: Promise<Got> }[] = []
      for (const { gap, patience } of clients) {
        held.push({ at: clock.now(), patience, got: get('/jobs/1', patience) })
        await clock.advance(gap)
      }
      await clock.advance(120_000)
      for (const { at, patience, got } of held) {
        const { outcome, ms, body } = await got
        expect(outcome).toBe(200)
        expect(ms).toBeLessThanOrEqual(Math.min(UP_TO, patience) + 1e-6)
        const { status } = JSON.parse(body)
        if (status === 'queued') expect(ms).toBeCloseTo(Math.min(UP_TO, patience), 6)
        else expect(at + ms).toBeLessThanOrEqual(Math.max(at, doneAt) + EVERY + 2 * slowness + 1e-6)
      }
      // One poll at a time, for any number of clients.
      for (const [i, { from }] of polls.entries()) {
        const before = polls[i - 1]
        // A poll that all its clients have left is aborted: the next one may begin before its end.
        if (before?.isWaitedFor !== true) continue
        expect(from).toBeGreaterThanOrEqual(before.to)
      }
    }),
    { numRuns: 100 },
  )
})
