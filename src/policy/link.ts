import type { FaultCode } from '../errors.ts'
import { callEach } from './call-each.ts'
import type { ClientLink } from './exchange.ts'
import type { RawHeaders } from '../net/fields.ts'

/**
 * Stands for the client of an attempt that is made for several clients, or beside other attempts of the same client. Its owner
 * says when nobody waits any more.
 */
export class Link implements ClientLink {
  readonly #inform: ClientLink['inform']
  readonly #listeners: (() => void)[] = []
  gone = false
  goneAs: FaultCode = 'client_gone'

  constructor(inform: ClientLink['inform']) {
    this.#inform = inform
  }

  listen(onGone: () => void): void {
    this.#listeners.push(onGone)
  }

  unlisten(onGone: () => void): void {
    const at = this.#listeners.lastIndexOf(onGone)
    if (at >= 0) this.#listeners.splice(at, 1)
  }

  inform(status: number, headers: RawHeaders): void {
    this.#inform(status, headers)
  }

  /** Ends the attempt. @param as its fault. */
  leave(as: FaultCode): void {
    if (this.gone) return
    this.gone = true
    this.goneAs = as
    callEach([...this.#listeners])
  }
}
