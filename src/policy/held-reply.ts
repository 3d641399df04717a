import type { FaultCode } from '../errors.ts'
import type { RawHeaders } from '../net/fields.ts'
import { type BodySink, both } from './exchange.ts'
import { ReplyBase } from './reply-base.ts'

const NO_TRAILERS: RawHeaders = []
/** Shared, and never added to. */
const NOTHING: Buffer[] = []

/** A reply whose body arrives in chunks. Those that come before it is piped are held; observers see all of them. */
export abstract class HeldReply extends ReplyBase {
  protected held: Buffer[] = NOTHING
  #sink: BodySink | undefined
  #trailers: RawHeaders = NO_TRAILERS
  #onData: ((chunk: Buffer) => void) | undefined

  pipe(sink: BodySink): void {
    const { held } = this
    this.held = NOTHING
    this.#sink = sink
    let isFlowing = true
    for (const chunk of held) isFlowing = sink.data(chunk)
    if (this.ended) this.passEnd(sink, this.#trailers)
    else if (isFlowing) this.resume()
  }

  watch(onData: (chunk: Buffer) => void): void {
    for (const chunk of this.held) onData(chunk)
    this.#onData = both(this.#onData, onData)
  }

  /** @returns whether the sink takes more; undefined when there is none yet, and the chunk is held. */
  protected deliver(chunk: Buffer): boolean | undefined {
    this.#onData?.(chunk)
    if (this.#sink !== undefined) return this.#sink.data(chunk)
    if (this.held === NOTHING) this.held = [chunk]
    else this.held.push(chunk)
    return undefined
  }

  /** The body is complete. */
  protected complete(trailers: RawHeaders): void {
    this.#trailers = trailers
    this.#sink?.end(trailers)
    this.close('complete')
  }

  /** The body broke off. */
  protected breakOff(code: FaultCode): void {
    this.#sink?.fail(code)
    this.close(code)
  }
}
