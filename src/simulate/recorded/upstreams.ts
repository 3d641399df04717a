import type { Clock } from '../../clock.ts'
import type { FaultCode } from '../../errors.ts'
import type { Exchange } from '../../policy/exchange.ts'
import { fieldOf } from '../../net/fields.ts'
import type { Assumptions } from '../assumptions.ts'
import type { JobReports } from './job-reports.ts'
import { isFailure, type RecordedCalls } from './calls.ts'
import type { BreakerMark, RecordedCall, RecordedLog, RecordedRequest } from './log.ts'
import { bodyOf, isTold, ownCall, pieceOf, piecesOf, wordOf } from './replies.ts'
import type { RecordedAttempt } from './log-fields.ts'
import type { World } from '../sidecar.ts'
import { type Answer, simulatedReply } from '../simulated-call.ts'

/** Lateness that timers may have, by their length and in ms: an answer that late after a limit came in time. */
const LATE_SHARE = 0.02
const LATE_MS = 50

/** Answers the calls of a simulation as the recorded upstreams did, and by the assumptions where there was no call. */
export class RecordedUpstreams implements World {
  readonly #log: RecordedLog
  readonly #calls: RecordedCalls
  readonly #assumptions: Assumptions
  readonly #reports: JobReports
  readonly #clock: Clock
  readonly #made: Uint16Array
  readonly #outages: readonly Outage[]
  /** Numbers of calls answered from the record, and by assumption. */
  readonly counts = { recorded: 0, assumed: 0 }

  constructor(log: RecordedLog, calls: RecordedCalls, assumptions: Assumptions, reports: JobReports, clock: Clock) {
    this.#log = log
    this.#calls = calls
    this.#assumptions = assumptions
    this.#reports = reports
    this.#clock = clock
    this.#made = new Uint16Array(log.length)
    this.#outages = outagesIn(log.marks)
  }

  /** Answer to the exchange's next call. */
  answer(exchange: Exchange, origin: string): Answer {
    const isResume = fieldOf(exchange.headers, 'range') !== ''
    const { request, attempts, k, own } = this.#next(Number(exchange.id), isResume)
    this.#made[request.row] = k + 1
    if (own !== undefined && isTold(attempts[own], origin)) {
      this.counts.recorded += 1
      this.#calls.use(request.row, own)
      return this.#played({ request, attempts, k: own }, exchange)
    }
    this.counts.assumed += 1
    return this.#assumed(request, k, exchange, origin)
  }

  /** Endpoint of the recorded attempt that comes next for a request. */
  endpointOf(requestId: string): string | undefined {
    const { attempts, own } = this.#next(Number(requestId), false)
    return own === undefined ? undefined : attempts[own]?.endpoint
  }

  /** The call that a request makes next, and the recorded attempt that it is, if any. */
  #next(row: number, isResume: boolean) {
    const request = this.#log.request(row)
    const k = this.#made[row] ?? 0
    const attempts = this.#log.attempts(request)
    const own = ownCall(request, attempts, k, this.#clock.now() - request.arrivalMs, isResume)
    return { request, attempts, k, own }
  }

  isWell(upstream: string, origin: string, everyMs: number): boolean {
    const now = this.#clock.now()
    const states = this.#outages.flatMap((one) => (one.upstream === upstream ? [wasWell(one, now, everyMs)] : []))
    if (states.includes(false)) return false
    if (states.includes(true)) return true
    const { unseen } = this.#assumptions
    if (unseen !== 'nearest') return unseen === 'ok'
    const call = this.#calls.nearest(upstream, origin, now, NO_ROW, 0)
    return call === undefined || !isFailure(outcomeOf(call))
  }

  #assumed(request: RecordedRequest, k: number, exchange: Exchange, origin: string): Answer {
    const now = this.#clock.now()
    const { unseen } = this.#assumptions
    if (unseen === 'fail') {
      const failed = this.#calls.nearestFailed(request, now)
      return failed === undefined ? simulatedReply(503, 0) : this.#played(failed, exchange)
    }
    if (unseen === 'nearest') {
      const nearest = this.#calls.nearest(request.ref.upstream, origin, now, request.row, k)
      if (nearest !== undefined && isFailure(outcomeOf(nearest))) {
        this.#calls.use(nearest.request.row, nearest.k)
        return this.#played(nearest, exchange)
      }
    }
    return this.#well(request, exchange)
  }

  #well(request: RecordedRequest, exchange: Exchange): Answer {
    const call = this.#calls.nearestWell(request, this.#clock.now())
    return call === undefined ? simulatedReply(200, 0) : this.#played(call, exchange)
  }

  /** Answer as in the recorded run. */
  #played(call: RecordedCall, exchange: Exchange): Answer {
    const { request, attempts, k } = call
    const attempt = attempts[k]
    if (attempt === undefined) return simulatedReply(200, 0)
    const { outcome, ms, early } = attempt
    if (typeof outcome === 'string') return this.#failed(outcome, ms, request, exchange)
    const pieces = piecesOf(call)
    const { bodyMs, bodyEnd } = bodyOf(call)
    const connectMs = attempts.length === 1 ? Math.min(request.connectMs, ms) : 0
    const afterMs = inTime(ms, connectMs, exchange)
    const plain = simulatedReply(outcome, afterMs, this.#reports.body(wordOf(call), exchange))
    const reply = { ...plain, headers: [...plain.headers, ...askedField(attempt)] }
    const isOwn = Number(exchange.id) === request.row
    const piece = pieces > 1 && isOwn ? pieceOf(call, pieces, exchange) : undefined
    return { ...reply, connectMs, early, bodyMs, bodyEnd, ...piece }
  }

  #failed(code: FaultCode, ms: number, request: RecordedRequest, exchange: Exchange): Answer {
    if (code === 'connect_timeout') return { kind: 'silence', connectMs: 0, in: 'connecting' }
    if (code === 'idle_timeout' || code === 'client_stalled') return { kind: 'silence', connectMs: 0, in: 'sending' }
    if (!GIVEN_UP.has(code)) return { kind: 'fault', connectMs: 0, afterMs: ms, code }
    const { lateMs } = this.#assumptions
    if (lateMs === Number.POSITIVE_INFINITY) return { kind: 'silence', connectMs: 0, in: 'waiting' }
    const well = this.#well(request, exchange)
    return well.kind === 'reply' ? { ...well, connectMs: 0, afterMs: lateMs } : well
  }
}

/** Reasons for which the sidecar stopped waiting for an answer. */
const GIVEN_UP: ReadonlySet<FaultCode> = new Set([
  'attempt_timeout',
  'total_timeout',
  'client_deadline',
  'job_deadline',
  'client_gone',
])

/** Retry-After as the upstream sent it, in whole seconds. */
const askedField = ({ retryAfterMs }: RecordedAttempt): string[] =>
  retryAfterMs > 0 ? ['retry-after', String(Math.ceil(retryAfterMs / 1000))] : []

/** Row of no request in the log. */
const NO_ROW = -1

const outcomeOf = ({ attempts, k }: RecordedCall) => attempts[k]?.outcome ?? 200

function inTime(ms: number, connectMs: number, { attemptTimeoutMs }: Exchange): number {
  const limitMs = connectMs + attemptTimeoutMs
  const isLate = ms >= limitMs && ms < limitMs + Math.max(LATE_MS, LATE_SHARE * attemptTimeoutMs)
  return isLate ? limitMs - 1 : ms
}

/** A time in ms since the first arrival in which a breaker was open. */
type Outage = {
  readonly upstream: string
  readonly fromMs: number
  readonly toMs: number
  /** Whether it ended early, so that the last health check before its end succeeded. */
  readonly isCutShort: boolean
}

/** From the changes of breakers in a log. */
function outagesIn(marks: readonly BreakerMark[]): Outage[] {
  const isSame = (a: BreakerMark, b: BreakerMark) =>
    a.upstream === b.upstream && a.route === b.route && a.endpoint === b.endpoint
  return marks.flatMap((mark, i) => {
    if (mark.to !== 'open') return []
    const { upstream, atMs: fromMs, openMs = 0 } = mark
    const toMs = marks.slice(i + 1).find((later) => isSame(mark, later))?.atMs ?? fromMs + openMs
    return [{ upstream, fromMs, toMs, isCutShort: toMs < fromMs + openMs - 1 }]
  })
}

/**
 * Whether a health check with that interval in ms would have succeeded: known while a breaker was open, since a success lets a
 * probe through. undefined otherwise.
 */
function wasWell({ fromMs, toMs, isCutShort }: Outage, at: number, everyMs: number): boolean | undefined {
  return at < fromMs || at > toMs ? undefined : isCutShort && at > toMs - everyMs
}
