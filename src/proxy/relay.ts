import { type Clock, Watchdog } from '../clock.ts'
import type { FaultCode } from '../errors.ts'
import type { BodyFraming, ServerRequest } from '../http1/server-request.ts'
import { guarded } from '../guard.ts'
import type { BodySink, Reply } from '../policy/exchange.ts'
import { Untaken } from '../net/untaken.ts'
import { firstField, type RawHeaders, withoutFields } from '../net/fields.ts'

const NO_CONTENT = 204
const NOT_MODIFIED = 304

/** Largest body in bytes that is written together with its head. That saves a tenth of the CPU time (measured). */
const ONE_WRITE_BYTES = 4096

/**
 * The commit point: writes a reply's head to the client, then its body as it arrives, no faster than the client reads. From the
 * first byte on the only honest error is to cut the connection by a reset: then not even a client that reads until the end of
 * the connection takes a part for the whole.
 */
export class Relay implements BodySink {
  readonly #reply: Reply
  readonly #request: ServerRequest
  readonly #clock: Clock
  readonly #idleTimeoutMs: number
  #watchdog: Watchdog | undefined
  #progressAt = 0
  /** The clock's `stalledMs` at the last progress. */
  #stalledBefore = 0
  /** Present while the client is waited for. */
  #slowClient: Untaken | undefined
  /** Beginning of a body that may turn out to be small. */
  #small = ''
  /** Bytes that the head announces; Infinity when it does not, or the body is not sent. */
  #announced = Number.POSITIVE_INFINITY
  /** Whether the reply has ended: the client's end is none of it any more. */
  #hasEnded = false
  bytes = 0
  /** Whether the whole body had arrived when the head was relayed. */
  wasWhole = false
  /** Reason for which the client's connection was cut; undefined when it was not. */
  cutBy: FaultCode | undefined

  /** @param idleTimeoutMs without progress of the side that is waited for. */
  constructor(
    reply: Reply,
    request: ServerRequest,
    idleTimeoutMs: number,
    clock: Clock,
    onFault: (error: unknown) => void,
  ) {
    this.#reply = reply
    this.#request = request
    this.#clock = clock
    this.#idleTimeoutMs = idleTimeoutMs
    const lose = (error: unknown) => {
      onFault(error)
      this.fail('internal')
    }
    request.onDrain = guarded(() => {
      this.#slowClient = undefined
      this.#progressed()
      reply.resume()
    }, lose)
  }

  start(headers: string[]): void {
    const { status, statusText } = this.#reply
    const framing = this.#framingOf(status, headers)
    this.#request.writeHead(status, statusText, fieldsFor(status, headers, framing), framing)
    this.wasWhole = this.#reply.ended
    this.#reply.pipe(this)
    if (this.#reply.ended) return
    this.#request.flush()
    this.#progressed()
    this.#watchdog = new Watchdog(
      this.#clock,
      () => this.#dueAt(),
      () => this.#late(),
    )
    this.#watchdog.watch()
  }

  #framingOf(status: number, headers: RawHeaders): BodyFraming {
    const { method, minor } = this.#request.head
    if (method === 'HEAD' || status === NO_CONTENT || status === NOT_MODIFIED) return 'none'
    this.#announced = announcedLength(headers)
    if (this.#announced !== Number.POSITIVE_INFINITY) return 'length'
    return minor === 1 ? 'chunked' : 'close'
  }

  /** Stops when the client is gone or has everything. */
  stop(): void {
    this.#watchdog?.stop()
    if (!this.#hasEnded) this.#reply.discard('cancelled')
  }

  /** Never writes past the announced length: the client would take the rest for its next response. */
  data(chunk: Buffer): boolean {
    if (this.cutBy !== undefined) return false
    if (this.bytes + chunk.length > this.#announced) {
      this.fail('protocol')
      return false
    }
    this.bytes += chunk.length
    if (this.#reply.ended && this.bytes <= ONE_WRITE_BYTES) {
      this.#small += chunk.toString('latin1')
      return true
    }
    if (this.#small !== '') this.#request.write(Buffer.from(this.#small, 'latin1'))
    this.#small = ''
    this.#progressed()
    if (this.#request.write(chunk)) return true
    if (this.#slowClient === undefined) {
      this.#waitForClient()
      this.#watchdog?.watch()
    }
    return false
  }

  end(trailers: RawHeaders): void {
    if (this.bytes < this.#announced && this.#announced !== Number.POSITIVE_INFINITY) return this.fail('body_truncated')
    this.#hasEnded = true
    // The rest of a long body is still bounded, by the client's reading.
    this.#progressed()
    this.#waitForClient()
    this.#request.end(this.#small, trailers)
    // As a rule the system has taken all of it, and no timer needs to be set anew.
    if (!this.#request.isFlushed) this.#watchdog?.watch()
  }

  fail(code: FaultCode): void {
    this.#watchdog?.stop()
    this.cutBy = code
    this.#reply.discard(code)
    this.#request.cut()
  }

  #progressed(): void {
    this.#progressAt = this.#clock.now()
    this.#stalledBefore = this.#clock.stalledMs()
  }

  #waitForClient(): void {
    this.#slowClient = new Untaken(() => this.#request.untaken(), this.#clock.now())
  }

  #dueAt(): number {
    const endsAt = this.#progressAt + this.#idleTimeoutMs
    return Math.min(endsAt, this.#slowClient?.nextLookAt(this.#idleTimeoutMs) ?? endsAt)
  }

  /**
   * Looks whether a client that `drain` does not report takes bytes all the same: one that reads slowly but steadily is not idle.
   * Otherwise neither side made progress for `idle`. When the sidecar was paused meanwhile, the upstream is not blamed.
   */
  #late(): void {
    if (this.#slowClient !== undefined) {
      const now = this.#clock.now()
      if (this.#slowClient.hasMoved(now)) this.#progressed()
      if (now < this.#progressAt + this.#idleTimeoutMs) return this.#watchdog?.watch()
    }
    if (this.#clock.stalledMs() > this.#stalledBefore) this.#reply.discard('cancelled')
    this.fail(this.#slowClient === undefined ? 'idle_timeout' : 'client_stalled')
  }
}

/** Only a chunked body has trailers (RFC 9110 section 6.5), and a 204 must not have a length (section 8.6). */
const fieldsFor = (status: number, headers: RawHeaders, framing: BodyFraming): RawHeaders => {
  if (status === NO_CONTENT) return withoutFields(headers, OF_CONTENT)
  if (framing === 'chunked' || firstField(headers, 'trailer') === undefined) return headers
  return withoutFields(headers, TRAILER)
}

const TRAILER: ReadonlySet<string> = new Set(['trailer'])
const OF_CONTENT: ReadonlySet<string> = new Set(['trailer', 'content-length'])

const announcedLength = (headers: RawHeaders) =>
  Number(firstField(headers, 'content-length') ?? Number.POSITIVE_INFINITY)
