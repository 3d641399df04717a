import { type Clock, Watchdog } from '../../clock.ts'
import { ProxyError } from '../../errors.ts'
import type { Exchange } from '../exchange.ts'

/** An exchange that waits in a line. */
export type Place = {
  readonly exchange: Exchange
  /** Monotonic ms of the request's arrival. */
  readonly startedAt: number
  /** Monotonic ms since which it waits. */
  readonly since: number
  /** Lets it go on. Its owner has taken it out of the line. */
  readonly go: () => void
  /** Ends its wait with an error. Its owner has taken it out of the line. */
  readonly refuse: (error: ProxyError) => void
  /** Ends its wait as at the end of its time. Its owner has taken it out of the line. */
  readonly expire: () => void
}

/** An array of places, or of what its owner needs of them. */
type Line = {
  findLastIndex(cameBefore: (one: { readonly startedAt: number }) => boolean): number
  indexOf(place: Place): number
  splice(at: number, count: number, ...places: Place[]): unknown
}

type Bounds = {
  /** The kind of wait that its time counts as. */
  readonly as: 'queueMs' | 'breakerMs' | 'retryAfterMs'
  /** Monotonic ms at which the wait ends by itself. Asked again then: the deadline of a shared call moves with its waiters. */
  readonly untilAt: () => number
  /** Called at that moment. @returns the error to reject with; undefined lets the exchange go. */
  readonly late: () => ProxyError | undefined
  /** Called when the client left. */
  readonly gone?: () => void
}

/**
 * Puts an exchange into a line, before those whose requests came later: a retry takes its turn before them. The line's owner
 * takes places out of it, and lets them go or refuses them.
 * @returns when it is let go. @throws ProxyError when it is refused, its time is up or its client left.
 */
export function waitInLine(line: Line, exchange: Exchange, bounds: Bounds, clock: Clock): Promise<void> {
  const { as, untilAt, late, gone } = bounds
  const { startedAt } = exchange
  const since = clock.now()
  return new Promise((resolve, reject) => {
    const leave = () => {
      watchdog.stop()
      exchange.client.unlisten(onGone)
      exchange.spent[as] += clock.now() - since
    }
    const go = () => {
      leave()
      resolve()
    }
    const refuse = (error: ProxyError) => {
      leave()
      reject(error)
    }
    const expire = () => {
      const error = late()
      if (error === undefined) go()
      else refuse(error)
    }
    const place: Place = { exchange, startedAt, since, go, refuse, expire }
    const withdraw = () => line.splice(line.indexOf(place), 1)
    const watchdog = new Watchdog(clock, untilAt, () => {
      withdraw()
      expire()
    })
    const onGone = () => {
      withdraw()
      gone?.()
      refuse(new ProxyError(exchange.client.goneAs))
    }
    watchdog.watch()
    line.splice(line.findLastIndex((one) => one.startedAt <= startedAt) + 1, 0, place)
    exchange.client.listen(onGone)
  })
}
