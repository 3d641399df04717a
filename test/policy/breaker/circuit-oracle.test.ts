/**
 * Compares the circuit with opossum over generated histories. The two agree on the features that both have: opening on
 * the failure rate of a rolling window, rejecting for a fixed time, one probe, closing on its success. They differ in
 * one thing: opossum keeps its window while it is open, so that failures from before the outage still count after it.
 * The test skips this difference: it sends nothing to a re-closed circuit until that window has passed.
 */

import fc from 'fast-check'
import CircuitBreaker from 'opossum'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import {
  admit,
  type CircuitSettings,
  freshCircuit,
  noticeHalfOpen,
  stateOf,
} from '../../../src/policy/breaker/circuit.ts'
import { settle } from '../../../src/policy/breaker/settle.ts'

const SLOTS = 10
const SLOT_MS = 100

type Step = { readonly waitSlots: number } | { readonly succeeds: boolean }
type Rules = { readonly sixteenths: number; readonly minimumRequests: number; readonly openForSlots: number }

const rules: fc.Arbitrary<Rules> = fc.record({
  // Sixteenths, because opossum compares percentages, whose rounding makes 7 of 25 more than 28 %.
  sixteenths: fc.integer({ min: 1, max: 15 }),
  minimumRequests: fc.integer({ min: 1, max: 12 }),
  openForSlots: fc.integer({ min: 1, max: 25 }),
})

const steps = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.record({ succeeds: fc.boolean() }) },
    { weight: 2, arbitrary: fc.record({ waitSlots: fc.integer({ min: 1, max: 14 }) }) },
  ),
  { minLength: 10, maxLength: 80 },
)

beforeEach(() => {
  vi.useFakeTimers({ now: 0, toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date'] })
})
afterEach(() => {
  vi.useRealTimers()
})

test('circuit: opens, rejects, probes and closes as opossum does, over 4,000 histories', async () => {
  const seen = { opened: 0, rejected: 0, reopened: 0, closed: 0 }
  await fc.assert(
    fc.asyncProperty(rules, steps, async (rule, history) => {
      const compared = await replay(rule, history)
      for (const { ours, theirs } of compared) expect(ours).toEqual(theirs)
      for (const [at, { ours }] of compared.entries()) {
        const before = compared[at - 1]?.ours.after ?? 'closed'
        if (before === 'closed' && ours.after === 'open') seen.opened += 1
        if (!ours.admitted) seen.rejected += 1
        if (ours.before === 'half-open' && ours.after === 'open') seen.reopened += 1
        if (ours.before === 'half-open' && ours.after === 'closed') seen.closed += 1
      }
    }),
    { numRuns: 4000, seed: 20_260_101 },
  )
  // Both would also agree on histories without transitions: each kind must have occurred.
  for (const times of Object.values(seen)) expect(times).toBeGreaterThan(500)
}, 120_000)

type Observed = { readonly before: string; readonly admitted: boolean; readonly after: string }

async function replay(rule: Rules, history: readonly Step[]): Promise<{ ours: Observed; theirs: Observed }[]> {
  const settings = settingsOf(rule)
  const circuit = freshCircuit(settings)
  const oracle = oracleOf(rule)
  // Calls are made in the middle of a slot, where both assign them to the same slot.
  const start = Date.now()
  await vi.advanceTimersByTimeAsync(SLOT_MS / 2)
  const compared: { ours: Observed; theirs: Observed }[] = []
  for (const step of history) {
    if ('waitSlots' in step) {
      await vi.advanceTimersByTimeAsync(step.waitSlots * SLOT_MS)
      continue
    }
    const now = Date.now() - start
    const pair = {
      ours: callOurs(circuit, settings, step.succeeds, now),
      theirs: await callTheirs(oracle, step.succeeds),
    }
    compared.push(pair)
    const closedAgain = pair.theirs.before === 'half-open' && pair.theirs.after === 'closed'
    if (closedAgain) await vi.advanceTimersByTimeAsync(SLOTS * SLOT_MS)
  }
  oracle.shutdown()
  vi.clearAllTimers()
  return compared
}

function callOurs(
  circuit: ReturnType<typeof freshCircuit>,
  settings: CircuitSettings,
  succeeds: boolean,
  now: number,
): Observed {
  const before = stateOf(circuit, now)
  const permit = admit(circuit, now, { group: '', leaseMs: Number.POSITIVE_INFINITY, stalledMs: 0 }, settings)
  if (permit !== undefined) {
    noticeHalfOpen(circuit, now)
    settle(circuit, permit, succeeds ? 'success' : 'failure', now, settings)
  }
  return { before, admitted: permit !== undefined, after: stateOf(circuit, now) }
}

async function callTheirs(oracle: CircuitBreaker<[boolean], string>, succeeds: boolean): Promise<Observed> {
  const before = stateOfOracle(oracle)
  const outcome = await oracle.fire(succeeds).then(
    () => 'done',
    (error: Error & { code?: string }) => error.code ?? error.message,
  )
  return { before, admitted: outcome !== 'EOPENBREAKER', after: stateOfOracle(oracle) }
}

function stateOfOracle(oracle: CircuitBreaker<[boolean], string>): string {
  if (oracle.halfOpen) return 'half-open'
  return oracle.opened ? 'open' : 'closed'
}

const settingsOf = (rule: Rules): CircuitSettings => ({
  stretch: () => 1,
  consecutiveFailures: Number.POSITIVE_INFINITY,
  failureRate: {
    threshold: rule.sixteenths / 16,
    windowMs: SLOTS * SLOT_MS,
    minimumRequests: rule.minimumRequests,
  },
  slowCalls: false,
  openForMs: rule.openForSlots * SLOT_MS,
  openForMaxMs: rule.openForSlots * SLOT_MS,
  halfOpenProbes: 1,
  closeAfter: 1,
})

function oracleOf(rule: Rules): CircuitBreaker<[boolean], string> {
  const action = async (succeeds: boolean) => {
    if (!succeeds) throw new Error('failed')
    return 'answered'
  }
  return new CircuitBreaker(action, {
    timeout: false,
    errorThresholdPercentage: rule.sixteenths * 6.25,
    volumeThreshold: rule.minimumRequests,
    resetTimeout: rule.openForSlots * SLOT_MS,
    rollingCountTimeout: SLOTS * SLOT_MS,
    rollingCountBuckets: SLOTS,
    rollingPercentilesEnabled: false,
  })
}
