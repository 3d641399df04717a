import { isBreakerRefusal } from '../../errors.ts'
import type { Failure, RequestView } from '../../dashboard/shapes.ts'
import type { RequestEvent } from '../../events.ts'
import { outcomeOf } from '../../incidents/outcome.ts'
import { isRouted, type Kept, Newest, told } from './kept.ts'
import { shownRequest } from './requests.ts'

/** Number of failures of each kind that are kept. */
const MAX_KEPT = 100

/** A client that left is not a failure. */
export const isFailure = ({ status, reason }: RequestEvent) =>
  status >= 500 || (reason !== undefined && reason !== 'client_gone')

/** @property place among all failures, in the order of their ends. */
type Placed = Kept & { readonly place: number }

/**
 * The newest failures, for the page. An upstream with an open breaker makes thousands per second: failures without an attempt are
 * kept apart, so that they do not push out those that opened it.
 */
export class Failures {
  readonly #tried = new Newest<Placed>(MAX_KEPT)
  readonly #untried = new Newest<Placed>(MAX_KEPT)
  readonly #lastOf = new Map<string, Kept>()
  readonly #lastEffectOf = new Map<string, Kept>()
  #count = 0

  /** @param wallAt ms since the Unix epoch. */
  record(event: RequestEvent, wallAt: number): void {
    if (!isRouted(event)) return
    this.#count += 1
    const kept = { event, wallAt, place: this.#count }
    const alike = event.attempts === 0 ? this.#untried : this.#tried
    alike.keep(kept)
    const isEffect = event.attempts === 0 && event.reason !== undefined && isBreakerRefusal(event.reason)
    if (isEffect) this.#lastEffectOf.set(event.ref.upstream, kept)
    else this.#lastOf.set(event.ref.upstream, kept)
  }

  newestFirst(): Failure[] {
    return this.#all()
      .sort((a, b) => b.place - a.place)
      .map(shown)
  }

  find(id: string): RequestView | undefined {
    const found = this.#all().find(({ event }) => event.id === id)
    return found && shownRequest(found)
  }

  /** A refusal by a breaker only where nothing else failed: it is the effect of what opened it. */
  lastOf(upstream: string): Failure | undefined {
    const last = this.#lastOf.get(upstream) ?? this.#lastEffectOf.get(upstream)
    return last && shown(last)
  }

  #all(): Placed[] {
    return [...this.#tried.oldestFirst(), ...this.#untried.oldestFirst()]
  }
}

function shown(kept: Kept): Failure {
  const { status, reason, attempts } = kept.event
  return { ...told(kept), refused: outcomeOf(status, reason, attempts) === 'refused' }
}
