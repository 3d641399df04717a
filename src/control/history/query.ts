/** What a call for the history asks for. */

import { durationMs } from '../../config/kinds/units.ts'

export type HistoryQuery = {
  /** Wall-clock ms; whole multiples of `stepMs`. */
  readonly from: number
  readonly to: number
  readonly stepMs: number
  /** undefined for all. */
  readonly upstream: string | undefined
}

export const SECOND_MS = 1_000
export const MINUTE_MS = 60_000
export const HOUR_MS = 3_600_000
/** Steps that are chosen where none is asked for. */
const USUAL_MS = [1, 5, 10, 15, 30, 60, 300, 600, 1_800, 3_600, 21_600, 86_400].map((s) => s * SECOND_MS)
/** Number of steps that one answer has by itself, and at most. */
const USUAL_STEPS = 300
export const MAX_STEPS = 2_000

/** How far back seconds and minutes go; hours go further. */
export const SECONDS_BACK_MS = 5 * MINUTE_MS
const MINUTES_BACK_MS = 7 * 24 * HOUR_MS
const HOURS_BACK_MS = 90 * 24 * HOUR_MS

/** A moment: ISO 8601, seconds since the Unix epoch, or `-1h` for an hour before now. In ms; undefined for anything else. */
export function momentMs(text: string, now: number): number | undefined {
  if (text === 'now') return now
  if (/^\d{1,11}(?:\.\d+)?$/.test(text)) return Number(text) * SECOND_MS
  const back = text.startsWith('-') ? durationMs(text.slice(1)) : undefined
  if (back !== undefined) return now - back
  const at = /^\d{4}-\d{2}-\d{2}T/.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(at) ? undefined : at
}

/** A length: `60`, in seconds, or `1m`. In ms; undefined for anything else. */
export const stepMs = (text: string): number | undefined =>
  /^\d{1,7}$/.test(text) ? Number(text) * SECOND_MS : durationMs(text)

/**
 * Fits the bounds to steps, and the step to what is kept so far back: seconds for five minutes, minutes for seven days, hours
 * for ninety.
 */
export function fitted(
  from: number,
  to: number,
  asked: number | undefined,
  upstream: string | undefined,
  now: number,
): HistoryQuery {
  const since = Math.max(from, now - HOURS_BACK_MS)
  const length = Math.max(SECOND_MS, to - since)
  const wanted = asked ?? USUAL_MS.find((ms) => length / ms <= USUAL_STEPS) ?? 24 * HOUR_MS
  const step = multipleOf(kept(now - since), wanted)
  return { from: Math.floor(since / step) * step, to: Math.ceil(to / step) * step, stepMs: step, upstream }
}

function kept(backMs: number): number {
  if (backMs <= SECONDS_BACK_MS) return SECOND_MS
  return backMs <= MINUTES_BACK_MS ? MINUTE_MS : HOUR_MS
}

const multipleOf = (unit: number, ms: number) => Math.max(1, Math.ceil(ms / unit)) * unit
