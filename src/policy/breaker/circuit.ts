/**
 * The circuit breaker as a state machine of (record, event, now): no clock, timer or I/O. Half open is not stored: it is an
 * open circuit whose time has passed, so that reads and metrics never lag behind the clock. This file admits calls; settle.ts
 * updates the circuit at their ends.
 */

import type { BreakerMode, BreakerState, TripCause } from '../../events.ts'
import { freshWindows, type RateSettings, type Windows } from './window.ts'

export type CircuitSettings = {
  readonly consecutiveFailures: number
  readonly failureRate: RateSettings | false
  /** A call is slow once it has waited `slowerThanMs` for its response head, whether or not the head has come. */
  readonly slowCalls: (RateSettings & { readonly slowerThanMs: number }) | false
  readonly openForMs: number
  /** The open time doubles with every re-opening, up to this. */
  readonly openForMaxMs: number
  readonly halfOpenProbes: number
  readonly closeAfter: number
  /** Factor of an open time, from 1 to 1.1 at random, so that many sidecars do not come back together. */
  readonly stretch: () => number
}

export type Circuit = {
  /** Mode set by an operator; `auto` without one. */
  mode: BreakerMode
  tripped: boolean
  /** Grows at each opening and closing. Results of calls from an older generation are ignored. */
  generation: number
  consecutiveFailures: number
  /** Kind of the newest failures (a status or a reason), and how many of them came in a row. */
  alike: { readonly kind: string; readonly count: number }
  /** Another sidecar's breaker is open by failures of that kind until then; undefined when none told so. */
  hint: { readonly kind: string; readonly untilAt: number } | undefined
  /** Consecutive failed jobs. Successful calls and closing do not reset it; a completed job does. */
  failedJobs: number
  /** Openings since the circuit was last closed. */
  trips: number
  /** Monotonic ms at which it last opened. */
  openedAt: number
  /** Monotonic ms at which an open circuit becomes half open. */
  halfOpenAt: number
  /** Monotonic ms at which it was last closed; -Infinity when it never opened. */
  closedAt: number
  /** Whether a call was admitted since the circuit became half open. */
  probed: boolean
  probes: Permit[]
  probeSuccesses: number
  rate: Windows | undefined
  slow: Windows | undefined
  /** Keys of the groups of paths whose newest call failed. Probes go to the others first. */
  readonly failing: Set<string>
  /** Calls without a response head yet, oldest first; kept only where slow calls matter. */
  readonly waiting: Set<Permit>
}

export const NO_FAILURES = { kind: '', count: 0 } as const

/** Generation of calls that only an operator's mode admits: their results are ignored. */
const UNCOUNTED = -1

/** Permission to make one call. */
export type Permit = {
  /** Of its circuit at that time. The probe that closes its circuit goes over to the next one. */
  generation: number
  /** Key of the group of paths that the call belongs to. */
  readonly group: string
  readonly admittedAt: number
  /** The clock's `stalledMs` when the call was admitted. */
  readonly stalledMs: number
  /**
   * Time (monotonic ms) after which a probe's slot is free again, whether or not the call has ended. Infinity for a call that
   * is not a probe.
   */
  readonly leaseUntil: number
  settled: boolean
}

export type Transition = {
  readonly from: BreakerState
  readonly to: BreakerState
  readonly cause: TripCause | undefined
  /** Time in ms for which the circuit rejects; undefined unless it opened. */
  readonly openMs: number | undefined
}

export function freshCircuit(settings: CircuitSettings): Circuit {
  return {
    mode: 'auto',
    tripped: false,
    generation: 0,
    consecutiveFailures: 0,
    alike: NO_FAILURES,
    hint: undefined,
    failedJobs: 0,
    trips: 0,
    openedAt: 0,
    halfOpenAt: 0,
    closedAt: Number.NEGATIVE_INFINITY,
    probed: false,
    probes: [],
    probeSuccesses: 0,
    ...windowsFor(settings),
    failing: new Set(),
    waiting: new Set(),
  }
}

/** The state that callers see. For the mode `observe`, the state that it would have. */
export function stateOf(circuit: Circuit, now: number): BreakerState {
  if (circuit.mode === 'forced-open') return 'open'
  if (circuit.mode === 'forced-closed' || !circuit.tripped) return 'closed'
  return now < circuit.halfOpenAt ? 'open' : 'half-open'
}

/** Whether the circuit is closed whatever the time, and counts its calls. */
export const isPlain = ({ mode, tripped }: Circuit): boolean => mode === 'auto' && !tripped

/** Whether every call is rejected until `halfOpenAt` or an operator's change. */
export const refuses = (circuit: Circuit, now: number): boolean =>
  circuit.mode !== 'observe' && stateOf(circuit, now) === 'open'

/** Whether a call would be admitted, without admitting it. */
export const admits = (circuit: Circuit, now: number, settings: CircuitSettings): boolean =>
  circuit.mode === 'observe' || isRegular(circuit, now, settings)

/** Whether the circuit would admit a call in the mode `auto`. */
function isRegular(circuit: Circuit, now: number, settings: CircuitSettings): boolean {
  const state = stateOf(circuit, now)
  return state === 'closed' || (state === 'half-open' && freeProbes(circuit, now, settings) > 0)
}

/**
 * Sets an operator's mode. `forced-closed` clears the counts and counts no more: back on `auto` the circuit is closed. After
 * `forced-open` and `observe` it has the state that its counts gave it.
 * @returns the change of state that callers see; undefined without one.
 */
export function force(
  circuit: Circuit,
  mode: BreakerMode,
  now: number,
  settings: CircuitSettings,
): Transition | undefined {
  const from = stateOf(circuit, now)
  circuit.mode = mode
  if (mode === 'forced-closed') {
    startGeneration(circuit, false, settings)
    circuit.failedJobs = 0
    circuit.trips = 0
  }
  const to = stateOf(circuit, now)
  if (from === to) return undefined
  return {
    from,
    to,
    cause: 'forced',
    openMs: to === 'open' && mode !== 'forced-open' ? circuit.halfOpenAt - now : undefined,
  }
}

/**
 * Admits a call.
 * @param call `group`: key of its group of paths. `stalledMs`: the clock's, so that pauses of the process do not make calls slow.
 * `leaseMs`: time after which a probe's slot is free again even if the call has not ended.
 * @returns undefined when the call is rejected.
 */
export function admit(
  circuit: Circuit,
  now: number,
  { group, leaseMs, stalledMs }: { readonly group: string; readonly leaseMs: number; readonly stalledMs: number },
  settings: CircuitSettings,
): Permit | undefined {
  if (!admits(circuit, now, settings)) return undefined
  const isCounted = isPlain(circuit) || (circuit.mode !== 'forced-closed' && isRegular(circuit, now, settings))
  const leaseUntil = isCounted ? (circuit.tripped ? now + leaseMs : Number.POSITIVE_INFINITY) : now
  const generation = isCounted ? circuit.generation : UNCOUNTED
  const permit: Permit = { group, admittedAt: now, stalledMs, generation, leaseUntil, settled: !isCounted }
  if (!isCounted) return permit
  if (circuit.tripped) {
    circuit.probes = circuit.probes.filter((probe) => probe.leaseUntil > now)
    circuit.probes.push(permit)
  }
  if (settings.slowCalls) circuit.waiting.add(permit)
  return permit
}

/** Makes an open circuit half open now, because its cause may be over. */
export function allowProbes(circuit: Circuit, now: number): void {
  if (stateOf(circuit, now) === 'open') circuit.halfOpenAt = now
}

/**
 * Opens a circuit for `openFor` only, however often it has opened: its clients leave before a longer time has passed, and after
 * the outage they would fare worse than without it.
 */
export function hasten(circuit: Circuit, { openForMs }: CircuitSettings): void {
  circuit.halfOpenAt = Math.min(circuit.halfOpenAt, circuit.openedAt + openForMs)
}

/** Makes the change to half open visible: it is noticed by the first call after `halfOpenAt`. */
export function noticeHalfOpen(circuit: Circuit, now: number): Transition | undefined {
  if (!circuit.tripped || circuit.probed || now < circuit.halfOpenAt) return undefined
  circuit.probed = true
  return { from: 'open', to: 'half-open', cause: undefined, openMs: undefined }
}

/** Clears the counts. Results of calls from before are ignored. */
export function startGeneration(circuit: Circuit, tripped: boolean, settings: CircuitSettings): void {
  const windows = windowsFor(settings)
  circuit.tripped = tripped
  circuit.generation += 1
  circuit.consecutiveFailures = 0
  circuit.probed = false
  circuit.probes = []
  circuit.probeSuccesses = 0
  circuit.rate = windows.rate
  circuit.slow = windows.slow
}

export function probesInFlight(circuit: Circuit, now: number): number {
  return circuit.probes.reduce((running, probe) => (probe.leaseUntil > now ? running + 1 : running), 0)
}

/** Number of probes that may begin now. */
export const freeProbes = (circuit: Circuit, now: number, { halfOpenProbes }: CircuitSettings): number =>
  halfOpenProbes - probesInFlight(circuit, now)

const windowsFor = (settings: CircuitSettings) => ({
  rate: settings.failureRate ? freshWindows(settings.failureRate.windowMs) : undefined,
  slow: settings.slowCalls ? freshWindows(settings.slowCalls.windowMs) : undefined,
})

/**
 * Applies other settings to a circuit that goes on. Times are capped by the new bounds, windows of another length begin anew.
 * @returns whether a window began anew.
 */
export function adapt(circuit: Circuit, now: number, settings: CircuitSettings): boolean {
  circuit.halfOpenAt = Math.min(circuit.halfOpenAt, now + settings.openForMaxMs)
  const fresh = windowsFor(settings)
  const isSame = (before: Windows | undefined, after: Windows | undefined) => before?.windowMs === after?.windowMs
  const restarted = !isSame(circuit.rate, fresh.rate) || !isSame(circuit.slow, fresh.slow)
  if (!isSame(circuit.rate, fresh.rate)) circuit.rate = fresh.rate
  if (!isSame(circuit.slow, fresh.slow)) circuit.slow = fresh.slow
  return restarted
}
