/**
 * Updates a circuit at the ends of calls, and for calls that do not end. The generation counter, which makes late results
 * harmless, is gobreaker's.
 */

import {
  type Circuit,
  type CircuitSettings,
  NO_FAILURES,
  type Permit,
  startGeneration,
  type Transition,
} from './circuit.ts'
import type { TripCause } from '../../events.ts'
import { count, exceeds } from './window.ts'

/**
 * How an admitted call ended. `hung`: the client or its deadline ended it after a long wait, which counts for the share of
 * failures, but not for those in a row.
 */
export type Verdict = 'success' | 'failure' | 'hung' | 'neutral'

/**
 * Counts in-flight calls past `slowerThan`. Call before reading or updating the circuit.
 * @param stalledMs the clock's: pauses of the process are not the upstream's latency.
 */
export function noticeSlow(
  circuit: Circuit,
  now: number,
  stalledMs: number,
  settings: CircuitSettings,
): Transition | undefined {
  if (!settings.slowCalls) return undefined
  for (const permit of circuit.waiting) {
    const slowAt = permit.admittedAt + settings.slowCalls.slowerThanMs + (stalledMs - permit.stalledMs)
    if (slowAt > now) return undefined
    circuit.waiting.delete(permit)
    if (permit.generation !== circuit.generation) continue
    if (circuit.tripped) return trip(circuit, slowAt, 'probe', settings)
    if (circuit.slow === undefined) continue
    count(circuit.slow, permit.group, true, slowAt)
    if (exceeds(circuit.slow, slowAt, settings.slowCalls)) return trip(circuit, slowAt, 'slow', settings)
  }
  return undefined
}

/** Records the response head of a call: it cannot become slow any more. */
export function answered(circuit: Circuit, permit: Permit, now: number): void {
  const wasWaiting = circuit.waiting.delete(permit)
  if (wasWaiting && permit.generation === circuit.generation && circuit.slow !== undefined)
    count(circuit.slow, permit.group, false, now)
}

/**
 * Records the end of a call. Only the first verdict on a call counts. A verdict on a call of an older generation is ignored: a
 * late success must not close a half-open circuit, nor a late failure re-open it.
 * @param kind of a failure: a status or a reason.
 */
export function settle(
  circuit: Circuit,
  permit: Permit,
  verdict: Verdict,
  now: number,
  settings: CircuitSettings,
  kind = '',
): Transition | undefined {
  if (permit.settled) return undefined
  permit.settled = true
  circuit.waiting.delete(permit)
  if (permit.generation !== circuit.generation) return undefined
  if (verdict === 'success') circuit.alike = NO_FAILURES
  if (verdict === 'failure') circuit.alike = { kind, count: kind === circuit.alike.kind ? circuit.alike.count + 1 : 1 }
  return circuit.tripped
    ? settleProbe(circuit, permit, verdict, now, settings)
    : settleCall(circuit, permit.group, verdict, now, settings)
}

/** Records that the body of a successful probe broke off: a failure, if the circuit is closed by now. */
export function brokeOff(
  circuit: Circuit,
  { group }: Permit,
  now: number,
  settings: CircuitSettings,
): Transition | undefined {
  return circuit.tripped ? undefined : settleCall(circuit, group, 'failure', now, settings)
}

function settleProbe(
  circuit: Circuit,
  permit: Permit,
  verdict: Verdict,
  now: number,
  settings: CircuitSettings,
): Transition | undefined {
  circuit.probes = circuit.probes.filter((probe) => probe !== permit)
  if (verdict === 'neutral') return undefined
  note(circuit, permit.group, verdict)
  if (verdict !== 'success') return trip(circuit, now, 'probe', settings)
  circuit.probeSuccesses += 1
  if (circuit.probeSuccesses < settings.closeAfter) return undefined
  const closed = close(circuit, now, settings)
  // It succeeded with its head. What its body says of a job comes later, and holds for the closed circuit.
  permit.generation = circuit.generation
  return closed
}

/** Remembers whether a group's newest call failed. Bounded, since the keys of groups may change without end. */
function note({ failing }: Circuit, group: string, verdict: Verdict): void {
  if (verdict === 'success') failing.delete(group)
  else if (failing.size < MAX_FAILING) failing.add(group)
}

const MAX_FAILING = 256

function settleCall(
  circuit: Circuit,
  group: string,
  verdict: Verdict,
  now: number,
  settings: CircuitSettings,
): Transition | undefined {
  if (verdict === 'neutral') return undefined
  note(circuit, group, verdict)
  if (verdict === 'success') circuit.consecutiveFailures = 0
  if (verdict === 'failure') circuit.consecutiveFailures += 1
  if (circuit.rate !== undefined) count(circuit.rate, group, verdict !== 'success', now)
  if (verdict === 'success') return undefined
  if (circuit.consecutiveFailures >= settings.consecutiveFailures) return trip(circuit, now, 'consecutive', settings)
  if (isHinted(circuit, now, settings)) return trip(circuit, now, 'hint', settings)
  if (settings.failureRate && circuit.rate !== undefined && exceeds(circuit.rate, now, settings.failureRate)) {
    return trip(circuit, now, 'rate', settings)
  }
  return undefined
}

/** Whether half as many failures are enough, since another sidecar met enough of the same kind. */
function isHinted({ hint, alike }: Circuit, now: number, { consecutiveFailures }: CircuitSettings): boolean {
  if (hint === undefined || hint.untilAt <= now || hint.kind !== alike.kind) return false
  return alike.count >= Math.ceil(consecutiveFailures / 2)
}

/**
 * Records what a response said about its job. Consecutive failed jobs open the circuit as failed calls do. They are counted
 * apart, because uploads and polls succeed between two of them.
 */
export function settleJob(
  circuit: Circuit,
  permit: Permit,
  failed: boolean,
  now: number,
  settings: CircuitSettings,
): Transition | undefined {
  if (permit.generation !== circuit.generation) return undefined
  circuit.failedJobs = failed ? circuit.failedJobs + 1 : 0
  if (!failed) circuit.trips = circuit.tripped ? circuit.trips : 0
  if (circuit.tripped) return failed ? trip(circuit, now, 'probe', settings) : undefined
  if (circuit.rate !== undefined && failed) count(circuit.rate, permit.group, true, now)
  return circuit.failedJobs >= settings.consecutiveFailures ? trip(circuit, now, 'jobs', settings) : undefined
}

function trip(circuit: Circuit, at: number, cause: TripCause, settings: CircuitSettings): Transition {
  const nominalMs = Math.min(settings.openForMs * 2 ** circuit.trips, settings.openForMaxMs)
  const openMs = Math.round(nominalMs * settings.stretch())
  const from = circuit.tripped ? 'half-open' : 'closed'
  startGeneration(circuit, true, settings)
  circuit.trips += 1
  circuit.openedAt = at
  circuit.halfOpenAt = at + openMs
  return { from, to: 'open', cause, openMs }
}

function close(circuit: Circuit, now: number, settings: CircuitSettings): Transition {
  startGeneration(circuit, false, settings)
  circuit.closedAt = now
  // After failed jobs opened the circuit, a successful call proves little: the next failed job re-opens it for longer.
  circuit.failedJobs = Math.min(circuit.failedJobs, settings.consecutiveFailures - 1)
  if (circuit.failedJobs === 0) circuit.trips = 0
  return { from: 'half-open', to: 'closed', cause: undefined, openMs: undefined }
}
