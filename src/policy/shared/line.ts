import type { Clock } from '../../clock.ts'
import { ProxyError } from '../../errors.ts'
import type { Exchange } from '../exchange.ts'

/** An exchange that waits in a line. */
export type Place = { readonly exchange: Exchange; readonly go: () => void }

/** An array of places, or of what its owner needs of them. */
type Line = {
  push(place: Place): unknown
  indexOf(place: Place): number
  splice(at: number, count: number): unknown
}

type Bounds = {
  /** The kind of wait that its time counts as. */
  readonly as: 'breakerMs' | 'retryAfterMs'
  /** Monotonic ms at which the wait ends by itself. */
  readonly untilAt: number
  /** Called at that moment. @returns the error to reject with; undefined lets the exchange go. */
  readonly late: () => ProxyError | undefined
}

/**
 * Puts an exchange at the end of a line. Its owner takes places out of the line and lets them go.
 * @returns when it is let go. @throws ProxyError when its time is up or its client left.
 */
export function waitInLine(line: Line, exchange: Exchange, { as, untilAt, late }: Bounds, clock: Clock): Promise<void> {
  const since = clock.now()
  return new Promise((resolve, reject) => {
    const leave = () => {
      clock.cancel(timer)
      exchange.client.unlisten(onGone)
      exchange.spent[as] += clock.now() - since
    }
    const withdraw = () => {
      line.splice(line.indexOf(place), 1)
      leave()
    }
    const place: Place = {
      exchange,
      go: () => {
        leave()
        resolve()
      },
    }
    const timer = clock.after(untilAt - since, () => {
      withdraw()
      const error = late()
      if (error === undefined) resolve()
      else reject(error)
    })
    const onGone = () => {
      withdraw()
      reject(new ProxyError(exchange.client.goneAs))
    }
    line.push(place)
    exchange.client.listen(onGone)
  })
}
