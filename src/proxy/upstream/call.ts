import type { Duplex } from 'node:stream'
import type { Clock } from '../../clock.ts'
import type { Deps } from '../../deps.ts'
import type { BodyEnd, Emit } from '../../events.ts'
import { MessageFault } from '../../http1/fault.ts'
import type { OutgoingRequest, ResponseEvents, ResponseStart } from '../../http1/client-connection.ts'
import { NOT_PROCESSED, STREAM_RESET, WANTS_HTTP1 } from '../../http2/faults.ts'
import type { Call, CallWatch, Exchange } from '../../policy/exchange.ts'
import { HeldReply } from '../../policy/held-reply.ts'
import type { RawHeaders } from '../../net/fields.ts'
import { excerptOf } from './excerpt.ts'
import { codeOf, faultFrom } from './wire-faults.ts'

/** The connection or stream of one call. */
export type Line = {
  /** Time that its socket took to connect, in ms. */
  readonly connectMs: number
  pause(): void
  resume(): void
  /** Bytes that the upstream has not taken. */
  untaken(): number
  /** Gives the call up. Nothing is reported after it. */
  abort(): void
}

/** Which connection a request takes: any kept one, one that its upstream will hardly close now, or a new one. */
export type Reuse = 'any' | 'sound' | 'none'

/** How calls reach an upstream. */
export type Wire = {
  readonly isTls: boolean
  /** Value of Host. */
  readonly host: string
  readonly send: (request: OutgoingRequest, call: ResponseEvents, reuse: Reuse) => Line
  /** The kept connection was closed when the request came. */
  readonly wasClosed: (line: Line) => void
  /** The upstream has asked for HTTP/1.1. */
  readonly preferHttp1: () => void
}

const CONTINUE = 100
const PROCESSING = 102

/** Largest number of response bytes that wait for a reader before the upstream is paused. */
const HELD_BYTES = 64 * 1024

/** Time in ms, or multiple of the time to connect, within which the end of a reused connection may have crossed the request. */
const RACE_MS = 100
const RACE_CONNECTS = 5

/** Largest number of interim responses of one attempt. The next one breaks the protocol. */
const MAX_INTERIM = 100

const CHATTY = new MessageFault('malformed', `over ${MAX_INTERIM} interim responses`)

/**
 * One exchange on the wire: a Call until its response head, then the Reply. When a kept connection turns out dead, the request is
 * sent once more on a new one.
 */
export class UpstreamCall extends HeldReply implements Call, ResponseEvents {
  readonly #exchange: Exchange
  readonly #watch: CallWatch
  readonly #wire: Wire
  readonly #clock: Clock
  readonly #emit: Emit
  #line: Line | undefined
  #isFresh = false
  /** Whether the request has been sent once more. */
  #isResent = false
  #hasStarted = false
  /** Monotonic ms at which the request was begun on its connection. */
  #startedAt = 0
  #bodyBegun = false
  #sent = false
  #hasHead = false
  /** Whether the watch has received the head. It is told nothing after that. */
  #isTold = false
  #interim = 0
  #heldBytes = 0
  #isPaused = false

  constructor(exchange: Exchange, watch: CallWatch, wire: Wire, { clock, emit }: Deps) {
    super()
    this.#clock = clock
    this.#exchange = exchange
    this.#watch = watch
    this.#wire = wire
    this.#emit = emit
    this.#send(this.#isRepeatable ? 'any' : 'sound')
  }

  #send(reuse: Reuse): void {
    const { method, target, headers, upgrade, body } = this.#exchange
    const request = { method, target, ...hostAndHeaders(headers, this.#wire.host), upgrade, body }
    this.#line = this.#wire.send(request, this, reuse)
    if (this.ended && !this.#hasHead) this.#line.abort()
  }

  abort(): void {
    this.discard('cancelled')
  }

  untaken(): number {
    return this.#line?.untaken() ?? 0
  }

  discard(end: BodyEnd): void {
    if (this.ended) return
    this.close(end)
    this.socket?.destroy()
    this.#line?.abort()
  }

  resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    if (!this.ended) this.#line?.resume()
  }

  #pause(): void {
    this.#isPaused = true
    this.#line?.pause()
  }

  /** Ends this call alone after a defect of the sidecar. The upstream is not blamed. */
  lost(error: unknown): void {
    this.#emit({ kind: 'fault', error, where: 'attempt' })
    if (this.ended) return
    this.#line?.abort()
    this.socket?.destroy()
    if (this.#isTold) return this.breakOff('internal')
    this.close('internal')
    this.#watch.failed('internal', error)
  }

  started(connectMs: number | undefined): void {
    if (this.ended) return
    this.#hasStarted = true
    this.#isFresh = connectMs !== undefined
    this.#startedAt = this.#clock.now()
    this.#watch.started(connectMs)
  }

  bodySent(): void {
    this.#bodyBegun = true
    this.#watch.progressed()
  }

  requestSent(): void {
    this.#sent = true
    if (!this.ended && !this.#hasHead) this.#watch.sent()
  }

  interim({ status, headers }: ResponseStart): void {
    if (this.ended) return
    this.#interim += 1
    if (this.#interim > MAX_INTERIM) {
      this.#line?.abort()
      return this.failed(CHATTY)
    }
    // The sidecar answers its client's Expect itself, and the client asked for no other 100.
    if (status === CONTINUE) return
    // 102 says that the upstream is still processing (RFC 2518 section 10.1): the attempt's time begins anew.
    if (status === PROCESSING && this.#sent) this.#watch.progressed()
    this.#exchange.client.inform(status, headers)
  }

  head({ status, statusText, headers }: ResponseStart): void {
    if (!this.ended) this.#head(status, statusText, headers)
  }

  switched({ status, headers }: ResponseStart, socket: Duplex): void {
    if (this.ended) return void socket.destroy()
    this.socket = socket
    socket.once('close', () => this.close('complete'))
    this.#head(status, '', headers)
  }

  data(chunk: Buffer): void {
    if (this.ended) return
    const takesMore = this.deliver(chunk)
    if (takesMore === undefined) this.#heldBytes += chunk.length
    if (!(takesMore ?? this.#heldBytes <= HELD_BYTES)) this.#pause()
  }

  end(trailers: RawHeaders): void {
    if (!this.ended) this.complete(trailers)
  }

  unreadable({ detail }: MessageFault, bytes: Buffer): void {
    this.#emit({ kind: 'not_http', ref: this.#exchange.route, detail, received: excerptOf(bytes, this.#hasHead) })
  }

  failed(error: Error | MessageFault): void {
    if (this.ended) return
    if (this.#hasHead) return this.breakOff('body_truncated')
    if (this.#isUnprocessed(error)) return this.#sendAfresh()
    const code = faultFrom(error, this.#hasStarted, this.#wire.isTls)
    if (code === 'reset' && this.#hasCrossed(error)) {
      if (this.#line !== undefined) this.#wire.wasClosed(this.#line)
      if (this.#mayResend(error)) return this.#sendAfresh()
    }
    this.close(code)
    this.#watch.failed(code, error instanceof MessageFault ? new Error(error.detail) : error)
  }

  #head(status: number, statusText: string, headers: RawHeaders): void {
    this.#hasHead = true
    this.takeHead({ status, statusText, headers, early: this.#exchange.body !== undefined && !this.#sent })
    this.#watch.head(this)
    this.#isTold = true
  }

  get #isRepeatable(): boolean {
    const { body, idempotent } = this.#exchange
    return idempotent && body?.replayable !== false
  }

  /** Whether the upstream closed the kept connection just as it was reused. A connection that breaks later was in use. */
  #hasCrossed(error: Error | MessageFault): boolean {
    const raceMs = Math.max(RACE_MS, RACE_CONNECTS * (this.#line?.connectMs ?? 0))
    if (this.#isFresh || this.#isResent || codeOf(error) === STREAM_RESET) return false
    return this.#clock.now() - this.#startedAt <= raceMs
  }

  /**
   * That is no attempt: the request is sent once more, when that is harmless or no byte was taken (RFC 9112 section 9.3.1).
   */
  #mayResend(error: Error | MessageFault): boolean {
    const nothingTaken = codeOf(error) === 'EPIPE' && !this.#bodyBegun
    return this.#isRepeatable || (nothingTaken && this.#exchange.body?.replayable !== false)
  }

  /** Whether the upstream said that it did not process the request: it is sent once more, whatever its method (RFC 9113 section 8.7). */
  #isUnprocessed(error: Error | MessageFault): boolean {
    const code = codeOf(error)
    if (code === WANTS_HTTP1) this.#wire.preferHttp1()
    const isUnprocessed = code === NOT_PROCESSED || code === WANTS_HTTP1
    return isUnprocessed && !this.#isResent && this.#exchange.body?.replayable !== false
  }

  #sendAfresh(): void {
    this.#isResent = true
    this.#emit({ kind: 'stale_connection', ref: this.#exchange.route, trace: this.#exchange.trace })
    this.#hasStarted = false
    this.#sent = false
    this.#bodyBegun = false
    this.#send('none')
  }
}

/** A route that chooses its Host has it as its first field; `origin` is the upstream's own. */
const hostAndHeaders = (headers: RawHeaders, origin: string): Pick<OutgoingRequest, 'host' | 'headers'> =>
  headers[0] === 'host' ? { host: headers[1] ?? '', headers: headers.slice(2) } : { host: origin, headers }
