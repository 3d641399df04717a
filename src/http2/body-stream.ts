import { Readable } from 'node:stream'
import { BODY_BROKE, type OutgoingBody } from '../http1/client-connection.ts'

/** Bytes that are passed on at once, so that a slow upload shows progress within a large chunk. */
const PIECE_BYTES = 16 * 1024

/** A request body as the Readable that undici wants. It is opened at the first read and stopped when it is destroyed. */
export class BodyStream extends Readable {
  readonly #body: OutgoingBody
  readonly #onChunk: () => void
  #feed: ReturnType<OutgoingBody['open']> | undefined
  #isOpen = false
  /** Whether the body waits to be asked for more. Until it was told to wait, it comes without being asked. */
  #isWaiting = false

  /** @param onChunk called for each chunk that is delivered. */
  constructor(body: OutgoingBody, onChunk: () => void) {
    super({ highWaterMark: PIECE_BYTES })
    this.#body = body
    this.#onChunk = onChunk
  }

  override _read(): void {
    if (this.#isOpen) {
      if (!this.#isWaiting) return
      this.#isWaiting = false
      return this.#feed?.resume()
    }
    this.#isOpen = true
    const feed = this.#body.open({
      data: (chunk) => this.#take(chunk),
      end: () => {
        if (!this.destroyed) this.push(null)
      },
      fail: (cause) => {
        const error = new Error('the request body broke off', { cause })
        this.destroy(Object.assign(error, { code: BODY_BROKE }))
      },
    })
    if (this.destroyed) feed.stop()
    else this.#feed = feed
  }

  #take(chunk: Buffer): boolean {
    if (this.destroyed) return false
    let takesMore = true
    for (let at = 0; at < chunk.length; at += PIECE_BYTES) takesMore = this.push(chunk.subarray(at, at + PIECE_BYTES))
    this.#isWaiting = !takesMore
    this.#onChunk()
    return takesMore
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#feed?.stop()
    this.#feed = undefined
    done(error)
  }
}
