import { httpDateMs } from '../../clock.ts'
import { firstField, type RawHeaders } from '../../net/fields.ts'

export type BackoffSettings = {
  readonly initialMs: number
  readonly factor: number
  readonly maxMs: number
  /** Symmetric share: 0.1 spreads a wait over 90 % to 110 % of itself. */
  readonly jitter: number
}

/** The wait before the k-th retry (k = 1, 2, …) in ms, without its jitter: `min(initial · factor^(k-1), max)`. */
export const nominalWaitMs = (k: number, { initialMs, factor, maxMs }: BackoffSettings): number =>
  Math.min(initialMs * factor ** (k - 1), maxMs)

/** The wait before the k-th retry in ms; `random` uniform in [0, 1). */
export const waitMs = (k: number, settings: BackoffSettings, random: () => number): number =>
  nominalWaitMs(k, settings) * (1 + settings.jitter * (2 * random() - 1))

export type Each = { readonly eachMs: number; readonly usefulMs: number; readonly isTimeout?: boolean }

/**
 * Start times of attempts in ms from the first, when nothing else ends them. The last one comes while it is of use.
 * @param eachMs time that each attempt takes. @param isTimeout whether that is its limit: an attempt after which no other one
 * with as much time could follow has none. @param usefulMs time that the last one needs in order to be of use.
 * @param stretch factor of the waits: 1 for nominal waits, 0.9 for the shortest ones with a jitter of 0.1.
 */
export function startsMs(
  attempts: number,
  { eachMs, usefulMs, isTimeout = false }: Each,
  settings: BackoffSettings,
  stretch: number,
  deadlineMs: number,
): number[] {
  const usefulUntil = deadlineMs - Math.min(usefulMs, deadlineMs / 2)
  const starts = [0]
  for (let k = 1; k < attempts; k += 1) {
    const begun = starts[k - 1] ?? 0
    const endsAt = begun + eachMs
    const nominal = nominalWaitMs(k, settings)
    const isLast = isTimeout && k > 1 && endsAt + nominal + eachMs > deadlineMs
    const start = Math.min(endsAt + nominal * stretch, usefulUntil)
    if (isLast || start <= endsAt) break
    starts.push(start)
  }
  return starts
}

/**
 * The wait that `Retry-After` asks for, in ms: 0 when it is absent, malformed or in the past.
 * Source: RFC 9110 section 10.2.3, both forms.
 */
export function retryAfterMs(headers: RawHeaders, wallNow: number): number {
  const value = firstField(headers, 'retry-after')?.trim()
  if (value === undefined) return 0
  if (/^\d+$/.test(value)) return Number(value) * 1000
  return Math.max(0, (httpDateMs(value, wallNow) ?? 0) - wallNow)
}
