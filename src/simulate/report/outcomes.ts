import { type FaultCode, faultOf } from '../../errors.ts'
import { Interned } from '../recorded/columns.ts'

/** Result of a request for its client. */
export const OUTCOMES = ['served', 'upstreamError', 'refused', 'timedOut', 'broken', 'left'] as const
export type Outcome = (typeof OUTCOMES)[number]

/** `served`: a response of the upstream that is neither a 5xx nor a 429. */
function outcomeOf(status: number, reason: FaultCode | undefined): Outcome {
  if (reason === undefined) return status >= 500 || status === 429 ? 'upstreamError' : 'served'
  if (reason === 'client_gone' || reason === 'client_stalled') return 'left'
  const answered = faultOf(reason).status
  if (answered === 503) return 'refused'
  return answered === 504 ? 'timedOut' : 'broken'
}

type Ending = {
  readonly status: number
  readonly reason: FaultCode | undefined
  readonly outcome: Outcome
  readonly attempts: number
}

/** Results of requests by number, two bytes each. */
export class Endings {
  readonly #kinds = new Interned<Ending>()
  #numbers = new Uint16Array(1024)

  /** @returns the result. */
  set(request: number, status: number, reason: FaultCode | undefined, attempts: number): Outcome {
    const outcome = outcomeOf(status, reason)
    if (request >= this.#numbers.length) this.#grow(request)
    const kind = `${status} ${reason} ${attempts}`
    this.#numbers[request] = 1 + this.#kinds.number(kind, () => ({ status, reason, outcome, attempts }))
    return outcome
  }

  /** undefined for a request that has not ended. */
  of(request: number): Ending | undefined {
    return this.#kinds.value((this.#numbers[request] ?? 0) - 1)
  }

  /** More than the number of any request. */
  get size(): number {
    return this.#numbers.length
  }

  #grow(request: number): void {
    const larger = new Uint16Array(2 * (request + 1))
    larger.set(this.#numbers)
    this.#numbers = larger
  }
}

/** Comparison of the same requests in two runs. */
export type Comparison = {
  readonly requests: number
  /** Same status and reason in both. */
  readonly same: number
  readonly sameStatus: number
  readonly sameReason: number
  readonly sameAttempts: number
  /** Served now and not before, including clients that left before. */
  readonly saved: number
  /** Served before and not now. */
  readonly lost: number
}

export function compared(before: Endings, now: Endings): Comparison {
  const counts = { requests: 0, same: 0, sameStatus: 0, sameReason: 0, sameAttempts: 0, saved: 0, lost: 0 }
  for (let request = 0; request < before.size; request += 1) {
    const [a, b] = [before.of(request), now.of(request)]
    if (a === undefined || b === undefined) continue
    counts.requests += 1
    if (a.status === b.status && a.reason === b.reason) counts.same += 1
    if (a.status === b.status) counts.sameStatus += 1
    if (a.reason === b.reason) counts.sameReason += 1
    if (a.attempts === b.attempts) counts.sameAttempts += 1
    if (a.outcome !== 'served' && b.outcome === 'served') counts.saved += 1
    if (a.outcome === 'served' && b.outcome !== 'served') counts.lost += 1
  }
  return counts
}
