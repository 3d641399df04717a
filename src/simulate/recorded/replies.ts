/** What of a recorded request answers an attempt of the simulation, and how its body goes on. */

import type { Exchange } from '../../policy/exchange.ts'
import { fieldOf } from '../../net/fields.ts'
import type { JobWord } from './job-reports.ts'
import type { RecordedCall } from './calls.ts'
import type { RecordedRequest } from './log.ts'
import type { RecordedAttempt } from './log-fields.ts'
import type { SimulatedReply } from '../simulated-call.ts'

/** An attempt is the recorded one when it starts so near to it: by this share of its time since the arrival, jitter included. */
const SAME_SHARE = 0.25
const SAME_MS = 250

/**
 * Which of the recorded attempts the k-th one of the simulation is. What a poll or the rest of a body is answered depends on
 * the time or the number alone; anything else has to come when it came.
 */
export function ownCall(
  request: RecordedRequest,
  attempts: readonly RecordedAttempt[],
  k: number,
  sinceMs: number,
  isResume: boolean,
): number | undefined {
  if (isResume) return k < attempts.length ? k : undefined
  if (isPolled(request, attempts)) return nearestTo(sinceMs, attempts)
  const attempt = attempts[k]
  if (attempt === undefined) return undefined
  return Math.abs(sinceMs - attempt.atMs) <= Math.max(SAME_MS, SAME_SHARE * attempt.atMs) ? k : undefined
}

function nearestTo(sinceMs: number, attempts: readonly RecordedAttempt[]): number {
  const distance = (k: number) => Math.abs((attempts[k]?.atMs ?? 0) - sinceMs)
  return attempts.reduce((nearest, _, k) => (distance(k) < distance(nearest) ? k : nearest), 0)
}

/** Whether a recorded attempt says what that endpoint would have answered. */
export function isTold(attempt: RecordedAttempt | undefined, origin: string): boolean {
  if (attempt === undefined || attempt.outcome === 'hedge_lost') return false
  return attempt.endpoint === undefined || attempt.endpoint === origin
}

const isGood = ({ outcome }: RecordedAttempt) => typeof outcome === 'number' && outcome < 300

/** A hold asks again though it was answered. */
const isPolled = (request: RecordedRequest, attempts: readonly RecordedAttempt[]) =>
  !isResumed(request, attempts) && attempts.slice(0, -1).some(isGood)

/** So does who goes on with a body that broke off: with what a 206 is the answer to, or until it gives up. */
const isResumed = ({ reason }: RecordedRequest, attempts: readonly RecordedAttempt[]) =>
  attempts.some(({ outcome }, k) => k > 0 && outcome === 206) ||
  (reason === 'body_truncated' && attempts.slice(0, -1).some(isGood))

/** In how many pieces a body came, or should have come. */
export function piecesOf({ request, attempts }: RecordedCall): number {
  if (!isResumed(request, attempts)) return 1
  return attempts.filter(isGood).length + (request.reason === 'body_truncated' ? 1 : 0)
}

/** A byte for each piece but the last, and under the validator that lets a body be resumed. */
export function pieceOf(
  { attempts, k }: RecordedCall,
  pieces: number,
  { headers }: Exchange,
): Pick<SimulatedReply, 'headers' | 'body'> {
  const [, from] = /^bytes=(\d+)-/.exec(fieldOf(headers, 'range')) ?? []
  const first = Number(from ?? 0)
  const isLast = attempts.slice(0, k).filter(isGood).length === pieces - 1
  const body = 'x'.repeat(isLast ? Math.max(1, pieces - first) : 1)
  const length = ['content-length', String(pieces), 'accept-ranges', 'bytes']
  const range = ['content-range', `bytes ${first}-${pieces - 1}/${pieces}`]
  return { headers: [...(from === undefined ? length : range), 'etag', '"recorded"'], body }
}

/** Of an attempt that was followed by another the body is not told: it is over at once, or breaks off where that one goes on. */
export function bodyOf({ request, attempts, k }: RecordedCall): Pick<SimulatedReply, 'bodyMs' | 'bodyEnd'> {
  const [attempt, next] = [attempts[k], attempts[k + 1]]
  if (attempt === undefined) return WHOLE
  if (next !== undefined) {
    if (!isGood(attempt) || !isResumed(request, attempts)) return WHOLE
    return { bodyMs: Math.max(0, next.atMs - attempt.atMs - attempt.ms), bodyEnd: 'body_truncated' }
  }
  const { status, reason, firstByteMs, totalMs } = request
  if (firstByteMs === undefined || (status !== attempt.outcome && attempt.outcome !== 206)) return WHOLE
  const bodyMs = Math.max(0, totalMs - Math.max(firstByteMs, attempt.atMs + attempt.ms))
  // A client that left did so before the end of the body.
  if (reason === 'client_gone') return { bodyMs: bodyMs + 1, bodyEnd: 'complete' }
  return { bodyMs, bodyEnd: reason ?? 'complete' }
}

const WHOLE = { bodyMs: 0, bodyEnd: 'complete' } as const

/**
 * A hold whose client was answered when its time was up, rather than with a poll's answer, saw a job that goes on: so much of
 * the time between two polls had passed since the last one.
 */
const TIME_WAS_UP = 0.1

export function wordOf({ request, attempts, k }: RecordedCall): JobWord {
  const [before, attempt] = [attempts[k - 1], attempts[k]]
  if (attempt === undefined || !isGood(attempt)) return undefined
  if (k < attempts.length - 1) return 'pending'
  if (request.job !== undefined || before === undefined) return request.job
  const waitedMs = (request.firstByteMs ?? 0) - attempt.atMs - attempt.ms
  return waitedMs > TIME_WAS_UP * (attempt.atMs - before.atMs) ? 'pending' : undefined
}
