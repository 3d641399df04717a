import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { fakeClock } from '../../support/fake-clock.ts'
import { type Got, type Service, seeded, virtualSidecar } from '../../support/virtual.ts'

const CALM = { breaker: { consecutiveFailures: 100_000, failureRate: false }, connections: { max: 1_000 } }

test('rate: for any arrivals, no window exceeds it, turns keep order, no wait is in vain', async () => {
  const plan = fc.record({
    requests: fc.integer({ min: 1, max: 8 }),
    arrivals: fc.array(
      fc.record({ gap: fc.integer({ min: 0, max: 4_000 }), patience: fc.integer({ min: 100, max: 30_000 }) }),
      { minLength: 1, maxLength: 60 },
    ),
  })
  await fc.assert(
    fc.asyncProperty(plan, async ({ requests, arrivals }) => {
      const PER_MS = 10_000
      const clock = fakeClock()
      const sent: { readonly id: number; readonly at: number }[] = []
      const service: Service = ({ id }, answer) => {
        sent.push({ id: Number(id), at: clock.now() })
        answer(200, 1)
      }
      const rate = { requests, per: `${PER_MS}ms` }
      const { get } = virtualSidecar(
        clock,
        { ...CALM, rate, retry: { attempts: 1 }, timeout: { total: '60s' } },
        { 'http://a': service },
        seeded(1),
      )
      const answers: { readonly at: number; readonly patience: number; readonly got: Promise<Got> }[] = []
      for (const { gap, patience } of arrivals) {
        answers.push({ at: clock.now(), patience, got: get('/x', patience) })
        await turn()
        await clock.advance(gap)
      }
      await clock.advance(120_000)
      for (const [i, { at }] of sent.entries()) {
        const inWindow = sent.filter((other) => other.at > at - PER_MS && other.at <= at)
        expect(inWindow.length).toBeLessThanOrEqual(requests)
        if (i > 0) expect(sent[i - 1]?.id).toBeLessThan(sent[i]?.id ?? 0)
      }
      for (const { patience, got } of answers) {
        const { outcome, ms, retryAfterS = 0 } = await got
        // What is not sent is refused at once, and could not have been sent in time.
        if (outcome === 'rate') expect([ms, retryAfterS * 1_000 >= patience]).toEqual([0, true])
        else expect(outcome === 200 || ms <= patience).toBe(true)
      }
    }),
    { numRuns: 60 },
  )
})

test('hold: for any job, an answer comes with the news, by upTo and deadline, polls apart', async () => {
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
      const clock = fakeClock()
      const polls: { readonly from: number; readonly to: number; isWaitedFor: boolean }[] = []
      const service: Service = ({ client }, answer) => {
        const status = clock.now() >= doneAt ? 'completed' : 'queued'
        const poll = { from: clock.now(), to: clock.now() + slowness, isWaitedFor: false }
        polls.push(poll)
        clock.after(slowness, () => {
          poll.isWaitedFor = !client.gone
        })
        answer(200, slowness, { status })
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
        await turn()
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
      // However many clients: one poll at a time, and a pause before the next while the job goes on.
      for (const [i, { from }] of polls.entries()) {
        const before = polls[i - 1]
        // One that everybody has left is given up.
        if (before?.isWaitedFor !== true) continue
        expect(from).toBeGreaterThanOrEqual(before.to)
      }
    }),
    { numRuns: 100 },
  )
})
