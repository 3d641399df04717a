import type { Duplex } from 'node:stream'
import type { BodyEnd } from '../events.ts'
import type { RawHeaders } from '../net/fields.ts'
import { callEach } from './call-each.ts'
import type { BodySink, Reply } from './exchange.ts'

/** Part of a response that is known with its head. `early` is false where it is not given. */
type Head = Pick<Reply, 'status' | 'statusText' | 'headers'> & { readonly early?: boolean }

/** A reply's head, the end of its body, and the callbacks that wait for the end. Subclasses deliver the body. */
export abstract class ReplyBase implements Reply {
  status = 0
  statusText = ''
  headers: RawHeaders = []
  early = false
  socket: Duplex | undefined
  #closed: ((end: BodyEnd) => void)[] | undefined
  #end: BodyEnd | undefined

  abstract pipe(sink: BodySink): void
  abstract resume(): void
  abstract discard(end: BodyEnd): void
  abstract watch(onData: (chunk: Buffer) => void): void

  get ended(): boolean {
    return this.#end !== undefined
  }

  onClosed(closed: (end: BodyEnd) => void): void {
    if (this.#end !== undefined) return closed(this.#end)
    this.#closed ??= []
    this.#closed.push(closed)
  }

  protected takeHead({ status, statusText, headers, early = false }: Head): void {
    this.status = status
    this.statusText = statusText
    this.headers = headers
    this.early = early
  }

  /** Sets the end of the body and calls back. Only the first end counts. */
  protected close(end: BodyEnd): void {
    if (this.#end !== undefined) return
    this.#end = end
    const closed = this.#closed
    this.#closed = undefined
    if (closed !== undefined) callEach(closed, end)
  }

  /** Passes the end to a sink that was piped after it. Does nothing before the end. */
  protected passEnd(sink: BodySink, trailers: RawHeaders): void {
    if (this.#end === undefined) return
    if (this.#end === 'complete') sink.end(trailers)
    else sink.fail(this.#end === 'cancelled' ? 'client_gone' : this.#end)
  }
}
