import type { Duplex } from 'node:stream'
import type { Clock } from '../../clock.ts'
import type { Deps } from '../../deps.ts'
import type { BodyEnd, Emit } from '../../events.ts'
import { type BodySink, both, type Call, type CallWatch, type Exchange } from '../../policy/exchange.ts'
import { ReplyBase } from '../../policy/reply-base.ts'
import { everyField, type RawHeaders } from '../../net/fields.ts'
import { codeOf, faultFrom } from './wire-faults.ts'

/** Controls of a request on the wire, as undici gives them. */
export type WireControl = {
  abort(reason: Error): void
  pause(): void
  resume(): void
  readonly rawHeaders?: unknown
  readonly rawTrailers?: unknown
}

/** The connection of one call. */
export type Line = {
  readonly isTls: boolean
  /** Whether its socket is connected, including TLS. */
  readonly isOpen: boolean
  /** Whether its socket ended by an error. */
  readonly isReset: boolean
  /** Time that its socket took to connect, in ms. */
  readonly connectMs: number
  /** Number of calls that began on its socket. */
  served: number
  dispatch(exchange: Exchange, call: UpstreamCall): void
  /** Bytes that the upstream has not taken. */
  untaken(): number
  /** Ends a connect under way, or closes the socket. */
  drop(): void
  /** Gives up its socket, which now belongs to a tunnel. */
  yieldSocket(): void
  /** Returns the connection after the call. */
  giveBack(): void
}

const PROCESSING = 102

/** Largest number of response bytes that wait for a reader before the upstream is paused. */
const HELD_BYTES = 64 * 1024

const SWITCHING_PROTOCOLS = 101

/** Time in ms, or multiple of the time to connect, within which the end of a reused connection may have crossed the request. */
const RACE_MS = 100
const RACE_CONNECTS = 5

/** Largest number of interim responses of one attempt. The next one breaks the protocol. */
const MAX_INTERIM = 100

const RESET = Object.assign(new Error('the connection was reset before the end of the body'), { code: 'ECONNRESET' })
const GIVEN_UP = new Error('given up by the sidecar')
const unsupported = (what: string) => Object.assign(new Error(what), { code: 'UND_ERR_NOT_SUPPORTED' })
const CODED = unsupported('a transfer coding besides chunked')
const NO_STATUS = unsupported('a status below 100')
const UNASKED = unsupported('a 101 to a request that asked for no other protocol')
const CHATTY = unsupported(`over ${MAX_INTERIM} interim responses`)

/**
 * One exchange on the wire: a Call until its response head, then the Reply. A WireHandler reports undici's callbacks to it.
 * When a pooled connection turns out dead, the request is sent once more on a new one.
 */
export class UpstreamCall extends ReplyBase implements Call {
  readonly #exchange: Exchange
  readonly #watch: CallWatch
  readonly #connect: (fresh: boolean) => Line
  readonly #clock: Clock
  readonly #emit: Emit
  #line: Line
  #control: WireControl | undefined
  #isFresh = false
  /** Monotonic ms at which the request was begun on its connection. */
  #startedAt = 0
  #bodyBegun = false
  #sent = false
  #hasHead = false
  /** Whether the watch has received the head. It is told nothing after that. */
  #isTold = false
  #interim = 0
  #sink: BodySink | undefined
  #held: Buffer[] = []
  #heldBytes = 0
  #isPaused = false
  #trailers: RawHeaders = []
  #onData: ((chunk: Buffer) => void) | undefined

  constructor(exchange: Exchange, watch: CallWatch, connect: (fresh: boolean) => Line, { clock, emit }: Deps) {
    super()
    this.#clock = clock
    this.#exchange = exchange
    this.#watch = watch
    this.#connect = connect
    this.#emit = emit
    this.#line = connect(false)
    this.#line.dispatch(exchange, this)
  }

  abort(): void {
    this.discard('cancelled')
  }

  untaken(): number {
    return this.#line.untaken()
  }

  discard(end: BodyEnd): void {
    if (this.ended) return
    this.close(end)
    this.socket?.destroy()
    if (this.#control !== undefined) this.#control.abort(GIVEN_UP)
    else if (!this.#line.isOpen) this.#line.drop()
  }

  pipe(sink: BodySink): void {
    const held = this.#held
    this.#held = []
    this.#sink = sink
    let flowing = true
    for (const chunk of held) flowing = sink.data(chunk)
    if (this.ended) this.passEnd(sink, this.#trailers)
    else if (flowing) this.resume()
  }

  /**
   * undici's parsers share one state, and `resume` runs the parser at once. Inside a callback of another call's parser (node
   * emits `drain` there) the state would be in use, so resuming waits for a microtask.
   */
  resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    queueMicrotask(() => {
      try {
        if (!this.ended && !this.#isPaused) this.#control?.resume()
      } catch (error) {
        this.lose(error)
      }
    })
  }

  #pause(control: WireControl): void {
    this.#isPaused = true
    control.pause()
  }

  watch(onData: (chunk: Buffer) => void): void {
    for (const chunk of this.#held) onData(chunk)
    this.#onData = both(this.#onData, onData)
  }

  /** Ends this call alone after a defect of the sidecar. The upstream is not blamed. */
  lose(error: unknown): void {
    this.#emit({ kind: 'fault', error, where: 'attempt' })
    if (this.ended) return
    this.close('internal')
    this.#control?.abort(GIVEN_UP)
    this.socket?.destroy()
    if (this.#isTold) this.#sink?.fail('internal')
    else this.#watch.failed('internal', error)
  }

  start(control: WireControl): void {
    if (this.ended) return control.abort(GIVEN_UP)
    this.#control = control
    this.#isFresh = this.#line.served === 0
    this.#startedAt = this.#clock.now()
    this.#line.served += 1
    this.#watch.started(this.#isFresh ? this.#line.connectMs : undefined)
  }

  bodySent(): void {
    this.#bodyBegun = true
    this.#watch.progressed()
  }

  requestSent(): void {
    this.#sent = true
    if (!this.ended && !this.#hasHead) this.#watch.sent()
  }

  begin(control: WireControl, status: number, statusText: string): void {
    if (this.ended) return
    const headers = decoded(control.rawHeaders)
    if (status < 100) return control.abort(NO_STATUS)
    // A 101 with an Upgrade field comes by `switchTo`. Without one undici takes it for an interim response.
    if (status === SWITCHING_PROTOCOLS) return control.abort(UNASKED)
    if (status < 200) return this.#onInterim(control, status, headers)
    if (isCodedFurther(headers)) return control.abort(CODED)
    this.#head(status, statusText, headers)
  }

  switchTo(control: WireControl, status: number, socket: Duplex): void {
    this.#line.yieldSocket()
    this.#line.giveBack()
    if (this.ended) return void socket.destroy()
    this.#control = undefined
    this.socket = socket
    socket.once('close', () => this.close('complete'))
    this.#head(status, '', decoded(control.rawHeaders))
  }

  data(control: WireControl, chunk: Buffer): void {
    if (this.ended) return
    this.#onData?.(chunk)
    if (this.#sink !== undefined) {
      if (!this.#sink.data(chunk)) this.#pause(control)
      return
    }
    this.#held.push(chunk)
    this.#heldBytes += chunk.length
    if (this.#heldBytes > HELD_BYTES) this.#pause(control)
  }

  end(control: WireControl): void {
    // undici takes a reset connection for the end of a body that only the connection delimits.
    if (this.#line.isReset) return this.fail(RESET)
    this.#line.giveBack()
    if (this.ended) return
    this.#trailers = decoded(control.rawTrailers)
    this.#sink?.end(this.#trailers)
    this.close('complete')
  }

  fail(error: Error): void {
    const { isTls } = this.#line
    this.#line.giveBack()
    if (this.ended) return
    if (this.#hasHead) {
      this.#sink?.fail('body_truncated')
      return this.close('body_truncated')
    }
    const code = faultFrom(error, this.#control !== undefined, isTls)
    if (code === 'reset' && this.#isStale(error)) return this.#sendAfresh()
    this.close(code)
    this.#watch.failed(code, error)
  }

  #onInterim(control: WireControl, status: number, headers: RawHeaders): void {
    this.#interim += 1
    if (this.#interim > MAX_INTERIM) return control.abort(CHATTY)
    // 102 says that the upstream is still processing (RFC 2518 section 10.1): the attempt's time begins anew.
    if (status === PROCESSING && this.#sent) this.#watch.progressed()
    this.#exchange.client.inform(status, headers)
  }

  #head(status: number, statusText: string, headers: RawHeaders): void {
    this.#hasHead = true
    this.takeHead({ status, statusText, headers, early: this.#exchange.body !== undefined && !this.#sent })
    this.#watch.head(this)
    this.#isTold = true
  }

  /**
   * Whether the upstream closed the kept connection just as it was reused. That is no attempt: the request is sent once more,
   * when that is harmless or no byte was taken (RFC 9112 section 9.3.1). A connection that breaks later was in use.
   */
  #isStale(error: Error): boolean {
    const raceMs = Math.max(RACE_MS, RACE_CONNECTS * this.#line.connectMs)
    if (this.#isFresh || this.#clock.now() - this.#startedAt > raceMs) return false
    const { body, idempotent } = this.#exchange
    const nothingTaken = codeOf(error) === 'EPIPE' && !this.#bodyBegun
    return (idempotent || nothingTaken) && body?.replayable !== false
  }

  #sendAfresh(): void {
    this.#emit({ kind: 'stale_connection', ref: this.#exchange.route, trace: this.#exchange.trace })
    this.#control = undefined
    this.#sent = false
    this.#bodyBegun = false
    this.#line = this.#connect(true)
    this.#line.dispatch(this.#exchange, this)
  }
}

/**
 * Whether the body has a transfer coding besides chunked. The sidecar does not decode it, and the client did not say that it
 * can (RFC 9112 section 6.1).
 */
const isCodedFurther = (headers: RawHeaders) => !everyField(headers, 'transfer-encoding', isChunked)

const isChunked = (coding: string) => coding.toLowerCase() === 'chunked'

/** Decodes header fields from bytes as latin1 (RFC 9110 section 5.5: opaque above 0x7F). */
function decoded(raw: unknown): RawHeaders {
  if (!Array.isArray(raw)) return []
  return raw.map((field) => (Buffer.isBuffer(field) ? field.toString('latin1') : String(field)))
}
