/** The states of an upstream's breakers over a second, from their changes: nobody has to look for one to be known. */

import type { BreakerSnapshot, BreakerState, Event } from '../../events.ts'

type BreakerEvent = Extract<Event, { readonly kind: 'breaker' }>

type Known = {
  readonly route: string
  state: BreakerState
  /** Monotonic ms at which an open one becomes half open. */
  openUntil: number
}

type Change = { readonly at: number; readonly key: string; readonly route: string } & Pick<Known, 'state' | 'openUntil'>

/** What requests met in a stretch of time. */
export type Met = {
  readonly worst: BreakerState
  /** Time in ms for which a route found all of its endpoints' breakers open. */
  readonly openMs: number
}

const SEVERITY: Readonly<Record<BreakerState, number>> = { closed: 0, 'half-open': 1, open: 2 }

export class BreakerTimes {
  readonly #known = new Map<string, Known>()
  #changes: Change[] = []

  record({ route = '', endpoint = '', to, openMs }: BreakerEvent, now: number): void {
    // Forced open has no end.
    const openUntil = to === 'open' ? now + (openMs ?? Number.POSITIVE_INFINITY) : now
    this.#changes.push({ at: now, key: keyOf(route, endpoint), route, state: to, openUntil })
  }

  /**
   * Ends a stretch, which the next one follows. An upstream without trouble costs one look at each breaker.
   * @param present the breakers at its end, if they were looked at: what they say there corrects what was known.
   */
  close(from: number, to: number, present: readonly BreakerSnapshot[] | undefined): Met {
    const changes = this.#changes
    this.#changes = []
    if (present !== undefined) this.#meet(present)
    const points = [from, ...changes.map(({ at }) => at), ...[...this.#known.values(), ...changes].map(endOf), to]
      .filter((at) => at >= from && at <= to)
      .sort((a, b) => a - b)
    let met: Met = { worst: 'closed', openMs: 0 }
    let applied = 0
    for (const [i, at] of points.entries()) {
      for (let change = changes[applied]; change !== undefined && change.at <= at; change = changes[applied]) {
        this.#known.set(change.key, { route: change.route, state: change.state, openUntil: change.openUntil })
        applied += 1
      }
      met = joined(met, this.#stateAt(at), (points[i + 1] ?? at) - at)
    }
    if (present !== undefined) {
      this.#correct(present, to)
      met = joined(met, this.#stateAt(to), 0)
    }
    return met
  }

  /** Breakers that are gone no longer count; those that are new are closed until they are heard of. */
  #meet(present: readonly BreakerSnapshot[]): void {
    const keys = new Set(present.map(({ route = '', endpoint = '' }) => keyOf(route, endpoint)))
    for (const key of this.#known.keys()) if (!keys.has(key)) this.#known.delete(key)
    for (const { route = '', endpoint = '' } of present) {
      const key = keyOf(route, endpoint)
      if (!this.#known.has(key)) this.#known.set(key, { route, state: 'closed', openUntil: 0 })
    }
  }

  #correct(present: readonly BreakerSnapshot[], now: number): void {
    for (const { route = '', endpoint = '', state, openForMs, mode } of present) {
      const openUntil = now + (mode === 'forced-open' ? Number.POSITIVE_INFINITY : openForMs)
      this.#known.set(keyOf(route, endpoint), { route, state, openUntil })
    }
  }

  /** Requests of a route meet the best of its endpoints; of the routes the worst counts. */
  #stateAt(now: number): BreakerState {
    const best = new Map<string, BreakerState>()
    for (const { route, state, openUntil } of this.#known.values()) {
      const here = state === 'open' && now >= openUntil ? 'half-open' : state
      const known = best.get(route)
      if (known === undefined || SEVERITY[here] < SEVERITY[known]) best.set(route, here)
    }
    let worst: BreakerState = 'closed'
    for (const state of best.values()) if (SEVERITY[state] > SEVERITY[worst]) worst = state
    return worst
  }
}

const keyOf = (route: string, endpoint: string) => `${route}\n${endpoint}`
const endOf = ({ state, openUntil }: Pick<Known, 'state' | 'openUntil'>) =>
  state === 'open' ? openUntil : Number.POSITIVE_INFINITY
const joined = ({ worst, openMs }: Met, state: BreakerState, ms: number): Met => ({
  worst: SEVERITY[state] > SEVERITY[worst] ? state : worst,
  openMs: openMs + (state === 'open' ? ms : 0),
})
