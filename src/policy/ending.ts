import { callEach } from './call-each.ts'
import type { BodySink } from './exchange.ts'
import type { BodyEnd } from '../events.ts'
import type { RawHeaders } from '../net/fields.ts'

/** The end of a reply's body, and those who wait for it. */
export class Ending {
  #waiting: ((end: BodyEnd) => void)[] | undefined
  /** undefined until the body has ended. */
  how: BodyEnd | undefined

  onClosed(closed: (end: BodyEnd) => void): void {
    if (this.how !== undefined) return closed(this.how)
    this.#waiting ??= []
    this.#waiting.push(closed)
  }

  /** Tells the end to a sink that comes after it; does nothing before it. */
  tell(sink: BodySink, trailers: RawHeaders): void {
    if (this.how === undefined) return
    if (this.how === 'complete') sink.end(trailers)
    else sink.fail(this.how === 'cancelled' ? 'client_gone' : this.how)
  }

  /** Sets the end and tells those who wait. Only the first end counts. */
  close(end: BodyEnd): void {
    if (this.how !== undefined) return
    this.how = end
    const waiting = this.#waiting
    this.#waiting = undefined
    if (waiting !== undefined) callEach(waiting, end)
  }
}
