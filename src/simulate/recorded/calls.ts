import type { FaultCode } from '../../errors.ts'
import { Columns } from './columns.ts'
import type { RecordedCall, RecordedLog, RecordedRequest } from './log.ts'
import { bodyOf } from './replies.ts'

/**
 * Failures in a row that are an outage: they answer any number of further calls. A shorter run is chance, and each failure in it
 * answers one call, so that a replay with more calls than the record does not meet more of them than happened.
 */
const OUTAGE_RUN = 3

type Calls = { readonly columns: Columns<'at' | 'row' | 'k' | 'fails' | 'chance'>; order: Uint32Array }

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
  /** Calls that have answered one of the simulation. */
  readonly #used = new Set<string>()

  constructor(log: RecordedLog) {
    this.#log = log
  }

  /** Notes that the k-th attempt of the request in `row` has answered a call. */
  use(row: number, k: number): void {
    this.#used.add(`${row} ${k}`)
  }

  /**
   * The call to an endpoint nearest to `at` (ms since the first arrival). Of the request in `row` only the k-th attempt counts:
   * its first one says nothing about its second. A failure by chance counts while it has answered no call, and once its own
   * request did not come for it.
   */
  nearest(upstream: string, endpoint: string, at: number, row: number, k: number): RecordedCall | undefined {
    const accepts = (other: number, which: number, call: { readonly at: number; readonly isChance: boolean }) =>
      (other !== row || which === k) && (!call.isChance || (call.at <= at && !this.#used.has(`${other} ${which}`)))
    return this.#nearest(`${upstream}\n${endpoint}`, at, accepts) ?? this.#nearest(upstream, at, accepts)
  }

  /** The nearest success: on the request's route, otherwise anywhere at its upstream. */
  nearestWell({ ref }: RecordedRequest, at: number): RecordedCall | undefined {
    return this.#nearest(`${ref.upstream}\n${ref.route}`, at, any) ?? this.#nearest(`${ref.upstream}\nwell`, at, any)
  }

  nearestFailed({ ref }: RecordedRequest, at: number): RecordedCall | undefined {
    return this.#nearest(`${ref.upstream}\nfailed`, at, any)
  }

  #nearest(list: string, at: number, accepts: Accepts): RecordedCall | undefined {
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
      const isChance = columns.at(call, 'chance') === 1
      if (accepts(row, k, { at: columns.at(call, 'at'), isChance })) {
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
    const add = (list: string, call: { at: number; row: number; k: number; fails: number; chance: number }) => {
      const calls = all.get(list) ?? {
        columns: new Columns(['at', 'row', 'k', 'fails', 'chance']),
        order: new Uint32Array(0),
      }
      all.set(list, calls)
      calls.columns.push(call)
    }
    for (let n = 0; n < this.#log.length; n += 1) {
      const request = this.#log.nth(n)
      const { upstream, route } = request.ref
      const attempts = this.#log.attempts(request)
      for (const [k, { atMs, outcome, endpoint }] of attempts.entries()) {
        if (typeof outcome === 'string' && UNTOLD.has(outcome)) continue
        const fails = isFailure(outcome)
        const call = { at: request.arrivalMs + atMs, row: request.row, k, fails: fails ? 1 : 0, chance: 0 }
        add(upstream, call)
        if (endpoint !== undefined) add(`${upstream}\n${endpoint}`, call)
        if (fails) add(`${upstream}\nfailed`, call)
        else if (bodyOf({ request, attempts, k }).bodyEnd === 'complete')
          for (const list of [`${upstream}\nwell`, `${upstream}\n${route}`]) add(list, call)
      }
    }
    for (const calls of all.values()) {
      calls.order = calls.columns.sortedBy('at')
      markChance(calls)
    }
    return all
  }
}

type Accepts = (row: number, k: number, call: { readonly at: number; readonly isChance: boolean }) => boolean

const any = () => true

/** Marks the failures of runs shorter than an outage. */
function markChance({ columns, order }: Calls): void {
  let from = 0
  for (let place = 0; place <= order.length; place += 1) {
    if (place < order.length && columns.at(order[place] ?? -1, 'fails') === 1) continue
    if (place - from < OUTAGE_RUN) for (const call of order.subarray(from, place)) columns.set(call, 'chance', 1)
    from = place + 1
  }
}

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
