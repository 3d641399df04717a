import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createLog } from '../../src/control/log/log.ts'
import type { RequestEvent } from '../../src/events.ts'
import type { Exchange } from '../../src/policy/exchange.ts'
import { play } from '../../src/simulate/play.ts'
import { seeded } from '../../src/simulate/random.ts'
import { recordedRun, replay } from '../../src/simulate/replay.ts'
import { SimulatedSidecar } from '../../src/simulate/sidecar.ts'
import { type Answer, simulatedReply } from '../../src/simulate/simulated-call.ts'
import { Tally } from '../../src/simulate/report/tally.ts'
import { VirtualClock } from '../../src/simulate/virtual-clock.ts'
import { BY_DEFAULT, configOf, logOf, scenarioOf } from './support.ts'

const RUNS = Number(process.env.RUNS ?? 40)

/** Answers of an upstream, with delays in whole ms, so that the times of the log are exact. */
const answers = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ status: fc.constantFrom(200, 201, 404), ms: fc.nat(3_000), bodyMs: fc.nat(500) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ status: fc.constantFrom(503, 429, 500), ms: fc.nat(50), bodyMs: fc.constant(0) }),
  },
  fc.record({ fault: fc.constantFrom('reset' as const, 'connect_refused' as const), ms: fc.nat(50) }),
  fc.constant('silence' as const),
)
type Plan = typeof answers extends fc.Arbitrary<infer V> ? V : never

const request = fc.record({
  gapMs: fc.integer({ min: 40_000, max: 90_000 }),
  method: fc.constantFrom('GET', 'POST', 'DELETE'),
  bodyBytes: fc.constantFrom(0, 10, 5_000),
  answers: fc.array(answers, { minLength: 1, maxLength: 5 }),
  leavesAfterMs: fc.option(fc.integer({ min: 1, max: 10_000 }), { nil: Number.POSITIVE_INFINITY, freq: 6 }),
})

const policies = fc.record({
  timeout: fc.record({ attempt: fc.constantFrom('1s', '2500ms'), total: fc.constantFrom('2s', '9s', '25s') }),
  retry: fc.record({
    attempts: fc.integer({ min: 1, max: 5 }),
    backoff: fc.constant({ initial: '100ms', jitter: 0 }),
    bodyBuffer: fc.constant({ memory: '1KiB', disk: '0B' }),
  }),
  breaker: fc.record({
    consecutiveFailures: fc.integer({ min: 1, max: 6 }),
    failureRate: fc.constant(false),
    openFor: fc.constantFrom('30s', '100s'),
  }),
})

function answerOf(plan: Plan): Answer {
  if (plan === 'silence') return { kind: 'silence', connectMs: 0, in: 'waiting' }
  if ('fault' in plan) return { kind: 'fault', connectMs: 0, afterMs: plan.ms, code: plan.fault }
  const { status, ms: afterMs, bodyMs } = plan
  return { ...simulatedReply(status, afterMs), bodyMs }
}

test('replay: with the same configuration, any recorded log gives the same figures and no assumed call', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(request, { minLength: 1, maxLength: 30 }), policies, async (requests, settings) => {
      const config = configOf({ upstreams: { api: { url: 'http://api', ...settings } } })
      const clock = new VirtualClock(Date.UTC(2026, 0, 1))
      const lines: object[] = []
      const logTo = { write: (line: string) => void lines.push(JSON.parse(line)) }
      const log = createLog({ level: 'info', access: true, service: 'test' }, clock, logTo)
      const made = new Map<string, number>()
      const answer = ({ id }: Exchange) => {
        const k = made.get(id) ?? 0
        made.set(id, k + 1)
        const plans = requests[Number(id)]?.answers ?? []
        return answerOf(plans[Math.min(k, plans.length - 1)] ?? 'silence')
      }
      const world = { answer, isWell: () => true }
      const sidecar = new SimulatedSidecar(config, world, new Tally(['api'], 1_000), clock, seeded(1), log.record)
      let at = 0
      for (const [i, { gapMs, method, bodyBytes, leavesAfterMs }] of requests.entries()) {
        at += gapMs
        const limits = { leavesAfterMs, clientTimeoutMs: undefined, jobLeftMs: undefined, stalls: false }
        clock.after(at, () =>
          sidecar.ask('api', { id: String(i), method, path: '/a', target: '/a', bodyBytes, ...limits }),
        )
      }
      await clock.run()
      const recorded = await logOf(lines)
      // The same seed: a breaker's open time has a random part.
      const { tally, calls } = await replay(recorded, config, BY_DEFAULT, 1)
      const { clientMs, ...figures } = tally.figures()
      expect({ ...figures, clientMs }).toEqual(recordedRun(recorded).figures())
      expect(calls.assumed).toBe(0)
    }),
    { numRuns: RUNS },
  )
})

const SCENARIO = {
  lasts: '60s',
  sidecars: 5,
  traffic: [
    {
      upstream: 'api',
      request: 'GET /jobs/{id}',
      rate: [
        { from: '0s', rate: 2 },
        { from: '30s', rate: 4 },
      ],
    },
    { upstream: 'api', request: 'POST /jobs', rate: 1, body: '10KiB', patience: '5s' },
  ],
  upstreams: {
    api: {
      latency: { p50: '50ms', p99: '2s' },
      capacity: { workers: 3, queue: 20 },
      faults: [
        { as: 'silent', from: '10s', lasts: '5s' },
        { as: 'error', share: 0.1 },
        { as: 'slow', factor: 5, from: '40s', lasts: '10s' },
      ],
    },
  },
}
const CONFIG = { upstreams: { api: { url: 'http://api', timeout: { attempt: '2s', total: '8s' } } } }

test('scenario: the same seed gives the same figures, another seed gives others', async () => {
  const run = async (seed: number) => (await play(scenarioOf(SCENARIO), configOf(CONFIG), seed)).tally.figures()
  const first = await run(1)
  expect(await run(1)).toEqual(first)
  expect(await run(2)).not.toEqual(first)
  expect(first.outcomes.served).toBeGreaterThan(0)
})

test('scenario: no attempt begins after the total timeout, and no response head comes later', async () => {
  const requests: RequestEvent[] = []
  await play(scenarioOf(SCENARIO), configOf(CONFIG), 3, (event) => {
    if (event.kind === 'request') requests.push(event)
  })
  const totalMs = 8_000
  const begun = requests.flatMap(({ startedAt, history }) => history.map((attempt) => attempt.startedAt - startedAt))
  expect(Math.max(...begun)).toBeLessThan(totalMs)
  expect(Math.max(...requests.map(({ firstByteMs = 0 }) => firstByteMs))).toBeLessThanOrEqual(totalMs + 1e-6)
  expect(requests.some(({ reason }) => reason === 'total_timeout')).toBe(true)
})

test('scenario: two configurations get the same requests', async () => {
  const asked = async (config: object) => {
    const seen: string[] = []
    await play(scenarioOf(SCENARIO), configOf(config), 1, (event) => {
      if (event.kind === 'request') seen.push(`${event.id} ${event.method} ${event.startedAt}`)
    })
    return seen.sort()
  }
  const other = {
    upstreams: { api: { ...CONFIG.upstreams.api, retry: { attempts: 1 }, breaker: { consecutiveFailures: 1 } } },
  }
  expect(await asked(other)).toEqual(await asked(CONFIG))
})
