import type { FaultCode } from '../../errors.ts'
import { Columns } from './columns.ts'
import type { RecordedLog, RecordedRequest } from './log.ts'
import type { RecordedAttempt } from './log-fields.ts'

/** A call of the recorded run. */
export type RecordedCall = {
  readonly request: RecordedRequest
  readonly attempts: readonly RecordedAttempt[]
  /** Index of the attempt, from 0. */
  readonly k: number
}

type Calls = { readonly columns: Columns<'at' | 'row' | 'k'>; order: Uint32Array }

/** Reasons that end a call and do not tell what the upstream would have answered. */
const UNTOLD: ReadonlySet<FaultCode> = new Set([
  'client_gone',
  'client_deadline',
  'client_stalled',
  'hedge_lost',
  'job_deadline',
  'idle_timeout',
])

export const isFailure = (outcome: number | FaultCode): boolean =>
  typeof outcome === 'string' || outcome >= 500 || outcome === 429

/** All calls of a log by upstream and time, sorted at first use. */
export class RecordedCalls {
  readonly #log: RecordedLog
  #all: ReadonlyMap<string, Calls> | undefined

  constructor(log: RecordedLog) {
    this.#log = log
  }

  /**
   * The call to an endpoint nearest to `at` (ms since the first arrival). Of the request in `row` only the k-th attempt counts:
   * its first one says nothing about its second.
   */
  nearest(upstream: string, endpoint: string, at: number, row: number, k: number): RecordedCall | undefined {
    const accepts = (other: number, which: number) => other !== row || which === k
    return this.#nearest(`${upstream}\n${endpoint}`, at, accepts) ?? this.#nearest(upstream, at, accepts)
  }

  /** The nearest success: on the request's route, otherwise anywhere at its upstream. */
  nearestWell({ ref }: RecordedRequest, at: number): RecordedCall | undefined {
    return this.#nearest(`${ref.upstream}\n${ref.route}`, at, any) ?? this.#nearest(`${ref.upstream}\nwell`, at, any)
  }

  nearestFailed({ ref }: RecordedRequest, at: number): RecordedCall | undefined {
    return this.#nearest(`${ref.upstream}\nfailed`, at, any)
  }

  #nearest(list: string, at: number, accepts: (row: number, k: number) => boolean): RecordedCall | undefined {
    this.#all ??= this.#gathered()
    const calls = this.#all.get(list)
    if (calls === undefined) return undefined
    const { columns, order } = calls
    const timeOf = (place: number) => columns.at(order[place] ?? -1, 'at')
    let after = firstFrom(order.length, (place) => timeOf(place) >= at)
    let before = after - 1
    while (before >= 0 || after < order.length) {
      const takesAfter = before < 0 || (after < order.length && timeOf(after) - at < at - timeOf(before))
      const call = order[takesAfter ? after : before] ?? 0
      const [row, k] = [columns.at(call, 'row'), columns.at(call, 'k')]
      if (accepts(row, k)) {
        const request = this.#log.request(row)
        return { request, attempts: this.#log.attempts(request), k }
      }
      if (takesAfter) after += 1
      else before -= 1
    }
    return undefined
  }

  #gathered(): ReadonlyMap<string, Calls> {
    const all = new Map<string, Calls>()
    const add = (list: string, call: { at: number; row: number; k: number }) => {
      const calls = all.get(list) ?? { columns: new Columns(['at', 'row', 'k']), order: new Uint32Array(0) }
      all.set(list, calls)
      calls.columns.push(call)
    }
    for (let n = 0; n < this.#log.length; n += 1) {
      const request = this.#log.nth(n)
      const { upstream, route } = request.ref
      for (const [k, { atMs, outcome, endpoint }] of this.#log.attempts(request).entries()) {
        if (typeof outcome === 'string' && UNTOLD.has(outcome)) continue
        const call = { at: request.arrivalMs + atMs, row: request.row, k }
        add(upstream, call)
        if (endpoint !== undefined) add(`${upstream}\n${endpoint}`, call)
        if (isFailure(outcome)) add(`${upstream}\nfailed`, call)
        else for (const list of [`${upstream}\nwell`, `${upstream}\n${route}`]) add(list, call)
      }
    }
    for (const calls of all.values()) calls.order = calls.columns.sortedBy('at')
    return all
  }
}

const any = () => true

/** First index from which a condition holds; `length` when it never does. */
function firstFrom(length: number, fulfils: (place: number) => boolean): number {
  let [low, high] = [0, length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (fulfils(middle)) high = middle
    else low = middle + 1
  }
  return low
}
