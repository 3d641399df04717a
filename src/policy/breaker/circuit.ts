/**
 * The circuit breaker as a state machine of (record, event, now): no clock, no timer, no I/O. Half open is not stored:
 * it is an open circuit whose time is up, so what is asked for and what is measured never lag behind the clock. What lets
 * calls through is here; what their ends make of the circuit is in settle.ts.
 */

import type { BreakerMode, BreakerState, TripCause } from '../../events.ts'
import { freshWindow, type RateSettings, type Window } from './window.ts'

export type CircuitSettings = {
  readonly consecutiveFailures: number
  readonly failureRate: RateSettings | false
  /** A call is slow once it has waited `slowerThanMs` for its response head, whether or not that has come. */
  readonly slowCalls: (RateSettings & { readonly slowerThanMs: number }) | false
  readonly openForMs: number
  /** The open time doubles with every re-opening, up to this. */
  readonly openForMaxMs: number
  readonly halfOpenProbes: number
  readonly closeAfter: number
}

export type Circuit = {
  /** What an operator has it do; `auto` when nothing. */
  mode: BreakerMode
  tripped: boolean
  /** Goes up with every opening and closing. */
  generation: number
  consecutiveFailures: number
  /** Jobs that failed in a row. Calls that succeed do not end the row, nor does closing: a job that is done does. */
  failedJobs: number
  /** Openings since it was last closed. */
  trips: number
  /** Monotonic ms at which an open circuit becomes half open. */
  halfOpenAt: number
  /** Monotonic ms at which it was last closed; -Infinity when it never opened. */
  closedAt: number
  /** Whether a call was admitted since it is half open. */
  probed: boolean
  probes: Permit[]
  probeSuccesses: number
  rate: Window | undefined
  slow: Window | undefined
  /** Calls without a response head yet, oldest first; kept only where slow calls matter. */
  readonly waiting: Set<Permit>
}

/** The generation of calls that are let through on an operator's word alone: they decide nothing. */
const UNCOUNTED = -1

/** Leave to make one call. */
export type Permit = {
  readonly generation: number
  readonly admittedAt: number
  /** The clock's `stalledMs` at that moment. */
  readonly stalledMs: number
  /** A probe's slot is free again after this, whatever became of the call. Infinity for a call that is no probe. */
  readonly leaseUntil: number
  settled: boolean
}

export type Transition = {
  readonly from: BreakerState
  readonly to: BreakerState
  readonly cause: TripCause | undefined
  /** ms that it will reject for; undefined unless it opened. */
  readonly openMs: number | undefined
}

export function freshCircuit(settings: CircuitSettings): Circuit {
  return {
    mode: 'auto',
    tripped: false,
    generation: 0,
    consecutiveFailures: 0,
    failedJobs: 0,
    trips: 0,
    halfOpenAt: 0,
    closedAt: Number.NEGATIVE_INFINITY,
    probed: false,
    probes: [],
    probeSuccesses: 0,
    ...freshWindows(settings),
    waiting: new Set(),
  }
}

/** As it is to whoever calls; one that only observes shows what it would be. */
export function stateOf(circuit: Circuit, now: number): BreakerState {
  if (circuit.mode === 'forced-open') return 'open'
  if (circuit.mode === 'forced-closed' || !circuit.tripped) return 'closed'
  return now < circuit.halfOpenAt ? 'open' : 'half-open'
}

/** Whether every call is rejected until its time is up, or until an operator says otherwise. */
export const refuses = (circuit: Circuit, now: number): boolean =>
  circuit.mode !== 'observe' && stateOf(circuit, now) === 'open'

/** Whether a call would be admitted, without admitting it. */
export const admits = (circuit: Circuit, now: number, settings: CircuitSettings): boolean =>
  circuit.mode === 'observe' || isRegular(circuit, now, settings)

/** Whether the circuit, left to itself, would admit a call. */
function isRegular(circuit: Circuit, now: number, settings: CircuitSettings): boolean {
  const state = stateOf(circuit, now)
  return state === 'closed' || (state === 'half-open' && probesInFlight(circuit, now) < settings.halfOpenProbes)
}

/**
 * An operator's word. `forced-closed` forgets what was counted and counts no more; back on `auto` after it, the circuit is
 * closed. After `forced-open` and `observe` it is what it was or has become.
 * @returns the change of state that callers see, if it is one.
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
 * @param stalledMs the clock's, so that a stall makes no call slow.
 * @param leaseMs after which a probe's slot is free again though the call has not ended.
 * @returns undefined when the call is rejected.
 */
export function admit(
  circuit: Circuit,
  now: number,
  leaseMs: number,
  stalledMs: number,
  settings: CircuitSettings,
): Permit | undefined {
  if (!admits(circuit, now, settings)) return undefined
  const isCounted = circuit.mode !== 'forced-closed' && isRegular(circuit, now, settings)
  if (!isCounted) return { generation: UNCOUNTED, admittedAt: now, stalledMs, leaseUntil: now, settled: true }
  const leaseUntil = circuit.tripped ? now + leaseMs : Number.POSITIVE_INFINITY
  const permit: Permit = { generation: circuit.generation, admittedAt: now, stalledMs, leaseUntil, settled: false }
  if (circuit.tripped) {
    circuit.probes = circuit.probes.filter((probe) => probe.leaseUntil > now)
    circuit.probes.push(permit)
  }
  if (settings.slowCalls) circuit.waiting.add(permit)
  return permit
}

/** What opened it may be over: it is half open from now on, if it was open. */
export function allowProbes(circuit: Circuit, now: number): void {
  if (stateOf(circuit, now) === 'open') circuit.halfOpenAt = now
}

/** The first call since an open circuit's time was up makes the change to half open visible. */
export function noticeHalfOpen(circuit: Circuit, now: number): Transition | undefined {
  if (!circuit.tripped || circuit.probed || now < circuit.halfOpenAt) return undefined
  circuit.probed = true
  return { from: 'open', to: 'half-open', cause: undefined, openMs: undefined }
}

/** Counts begin anew; calls from before do not count any more. */
export function startGeneration(circuit: Circuit, tripped: boolean, settings: CircuitSettings): void {
  const windows = freshWindows(settings)
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

const freshWindows = (settings: CircuitSettings) => ({
  rate: settings.failureRate ? freshWindow(settings.failureRate.windowMs) : undefined,
  slow: settings.slowCalls ? freshWindow(settings.slowCalls.windowMs) : undefined,
})
