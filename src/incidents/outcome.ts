/** How a request ended, and what of it was the upstream's doing. */

import { type FaultCode, faultOf, isFaultCode, isRefusal } from '../errors.ts'

/**
 * `refused`: the sidecar answered without an attempt, because of an open breaker or a limit: an effect, whose cause is elsewhere.
 * `client`: the client left, or its request was not acceptable.
 */
export type Outcome = 'ok' | 'failed' | 'refused' | 'client'

export function outcomeOf(status: number, reason: FaultCode | undefined, attempts: number): Outcome {
  if (reason === undefined) return status >= 500 ? 'failed' : 'ok'
  if (attempts === 0 && isRefusal(reason)) return 'refused'
  if (isRefusal(reason) || isCutShort(reason)) return 'failed'
  return faultOf(reason).whose === 'client' ? 'client' : 'failed'
}

/** The client's own limit, or the upload that the upstream broke off: the client did not get what it asked for. */
const isCutShort = (reason: FaultCode) => reason === 'client_deadline' || reason === 'upload_refused'

/**
 * Whether an attempt failed by the upstream's doing: without a response head, with a 5xx, or with a 429.
 * @param outcome status or reason.
 */
export function isFailedAttempt(outcome: string | number): boolean {
  const status = Number(outcome)
  if (Number.isInteger(status)) return status >= 500 || status === 429
  const code = String(outcome)
  return isFaultCode(code) && (faultOf(code).whose === 'upstream' || isCutShort(code))
}

/** Whether a request succeeded after an attempt that had failed. @param outcomes of its attempts. */
export const isSaved = (
  outcome: Outcome,
  attempts: number,
  outcomes: readonly { readonly outcome: string | number }[],
) => outcome === 'ok' && attempts > 1 && outcomes.some((one) => isFailedAttempt(one.outcome))
