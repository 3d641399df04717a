/** Which recorded response answers an attempt of the simulation, and how its body goes on. */

import type { Exchange } from '../../policy/exchange.ts'
import { fieldOf } from '../../net/fields.ts'
import type { JobWord } from './job-reports.ts'
import type { RecordedCall, RecordedRequest } from './log.ts'
import type { RecordedAttempt } from './log-fields.ts'
import type { SimulatedReply } from '../simulated-call.ts'

/**
 * Share of its time since the arrival, jitter included, by which an attempt may start off and still count as the recorded one.
 */
const SAME_SHARE = 0.25
const SAME_MS = 250

/**
 * The recorded attempt for the k-th attempt of the simulation. Polls and rests of bodies depend on the time or the number
 * alone; others must come at their time.
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

/** A hold polls again after an answer. */
const isPolled = (request: RecordedRequest, attempts: readonly RecordedAttempt[]) =>
  !isResumed(request, attempts) && attempts.slice(0, -1).some(isGood)

/** A resumed body does so, too: a 206 answers it, or the end of the resuming. */
const isResumed = ({ reason }: RecordedRequest, attempts: readonly RecordedAttempt[]) =>
  attempts.slice(0, -1).some(({ brokeMs }) => brokeMs !== undefined) ||
  attempts.some(({ outcome }, k) => k > 0 && outcome === 206) ||
  (reason === 'body_truncated' && attempts.slice(0, -1).some(isGood))

/** Number of parts in which a body came, or should have come. */
export function piecesOf({ request, attempts }: RecordedCall): number {
  if (!isResumed(request, attempts)) return 1
  return attempts.filter(isGood).length + (request.reason === 'body_truncated' ? 1 : 0)
}

/** One byte for each part but the last, with a validator that allows resuming. */
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

/** The body of an attempt. When another attempt follows, it is over at once, or breaks off where the other goes on. */
export function bodyOf({ request, attempts, k }: RecordedCall): Pick<SimulatedReply, 'bodyMs' | 'bodyEnd'> {
  const [attempt, next] = [attempts[k], attempts[k + 1]]
  if (attempt === undefined) return WHOLE
  if (next !== undefined) {
    if (!isGood(attempt) || !isResumed(request, attempts)) return WHOLE
    const brokeMs = attempt.brokeMs ?? next.atMs - attempt.atMs
    return { bodyMs: Math.max(0, brokeMs - attempt.ms), bodyEnd: 'body_truncated' }
  }
  const { status, reason, firstByteMs, totalMs } = request
  if (firstByteMs === undefined || (status !== attempt.outcome && attempt.outcome !== 206)) return WHOLE
  const endMs = attempt.brokeMs === undefined ? totalMs : attempt.atMs + attempt.brokeMs
  const bodyMs = Math.max(0, endMs - Math.max(firstByteMs, attempt.atMs + attempt.ms))
  // A client that left did so before the end of the body.
  if (reason === 'client_gone') return { bodyMs: bodyMs + 1, bodyEnd: 'complete' }
  return { bodyMs, bodyEnd: reason ?? 'complete' }
}

const WHOLE = { bodyMs: 0, bodyEnd: 'complete' } as const

/**
 * A held client that was answered at the end of its time, not by a poll, saw a running job: so much of the interval had passed
 * since the last poll.
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
