import type { FaultCode } from '../errors.ts'
import { callEach } from './call-each.ts'
import type { ClientLink } from './exchange.ts'
import type { RawHeaders } from '../net/fields.ts'

/**
 * The client, or what stands for it towards an attempt that is not made for one client alone, or not the only one made for
 * it: whoever has it says when nobody waits any more.
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

  /** What is under way is given up. @param as what it is told as. */
  leave(as: FaultCode): void {
    if (this.gone) return
    this.gone = true
    this.goneAs = as
    callEach([...this.#listeners])
  }
}
