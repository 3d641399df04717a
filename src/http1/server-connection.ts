import type { Socket } from 'node:net'
import { type Clock, httpDate, type Timer, Watchdog } from '../clock.ts'
import { untakenBytes } from '../net/send-queue.ts'
import { firstField, type RawHeaders } from '../net/fields.ts'
import type { MessageFault } from './fault.ts'
import type { HeadLimits, RequestHead } from './head.ts'
import { RequestReader } from './reader.ts'
import { CHUNK_END, CHUNKED_LINE, CONTINUE, chunkHead, lastChunk, responseHeadText } from './write.ts'

export type ServerLimits = HeadLimits & {
  /** Longest time to receive a head, in ms. */
  readonly headMs: number
  /** Time in ms for which a connection without a request is kept. */
  readonly idleMs: number
  /** Time in ms for which a client may go on sending after the last response of its connection. */
  readonly lingerMs: number
}

/** Answers a request. */
export type RequestOwner = {
  /** The response is over, or the client is gone. @param finished whether the whole response was sent. */
  closed(finished: boolean): void
  /** The rest of the request cannot be read. */
  spoilt(fault: MessageFault): void
}

export type ServerHandler = {
  /** A request's head has arrived. Its body waits until it is read. Sets the request's owner, like `refuse`. */
  begin(request: ServerRequest): void
  /** The client sent something that is no request, or a head too slowly. */
  refuse(request: ServerRequest, fault: MessageFault | 'head_timeout'): void
  closed(): void
  /** An error thrown by an owner. The connection ends. */
  lost(error: unknown): void
}

/** How the end of a response body is told to the client. */
export type BodyFraming = 'none' | 'length' | 'chunked' | 'close'

/** Reads a request's body. */
type BodyReader = {
  readonly data: (chunk: Buffer) => void
  readonly end: () => void
  readonly broke: (error: Error) => void
}

/** Largest piece of a body that is copied into one write with what stands before it. */
const COPIED_BYTES = 4096
/** Largest part of a body that is held for its reader before the client is read no further. */
const HELD_BYTES = 64 * 1024
/**
 * Every response begins with this, interim ones included. A client that ends its direction has either half-closed and waits for its
 * answer, or has gone: on the wire the two are alike. So the beginning of the answer is sent to it, byte by byte. A client that
 * waits takes it for what it is; the system of one that has gone answers with a reset, and the next byte cannot be written.
 */
const BEGINNING = 'HTTP/1.1 '
/** Bytes of it that are sent in one turn of I/O after the other, and the wait before the next one, which grows fourfold, in ms. */
const AT_ONCE = 3
const NEXT_BYTE_MS = 20

/**
 * One client's connection over HTTP/1.1 (RFC 9112): reads one request after the other, and the next one only when the one before
 * it is answered. Knows no policy.
 */
export class ServerConnection {
  readonly socket: Socket
  readonly #limits: ServerLimits
  readonly #handler: ServerHandler
  readonly #clock: Clock
  readonly #reader: RequestReader
  readonly #watchdog: Watchdog
  /** Clients that know Keep-Alive do not reuse a connection that is about to end. */
  readonly keepAliveLines: string
  /** Monotonic ms from which the present wait is counted: for a request, or for the rest of a head or body. */
  #waitsSince: number
  #isBetween = true
  #current: ServerRequest | undefined
  #lastChunk: Buffer | undefined
  #isLast = false
  /** Whether the client has ended its direction. */
  #hasEnded = false
  #isLingering = false
  #isPaused = false

  constructor(socket: Socket, limits: ServerLimits, handler: ServerHandler, clock: Clock) {
    this.socket = socket
    this.#limits = limits
    this.keepAliveLines = `connection: keep-alive\r\nkeep-alive: timeout=${Math.floor(limits.idleMs / 1000)}\r\n`
    this.#handler = handler
    this.#clock = clock
    this.#waitsSince = clock.now()
    this.#reader = new RequestReader(
      {
        head: (head) => this.#begin(head),
        data: (chunk) => this.#current?.receive(chunk),
        end: () => this.#wholeRequest(),
        fault: (fault) => this.#fault(fault),
      },
      limits,
    )
    this.#watchdog = new Watchdog(
      clock,
      () => this.#dueAt(),
      () => this.#guard(() => this.#late()),
    )
    socket.on('data', this.#onData)
    socket.on('end', this.#onEnd)
    socket.on('drain', this.#onDrain)
    socket.on('error', ignored)
    socket.once('close', () => {
      this.#watchdog.stop()
      this.#reader.stop()
      const current = this.#current
      this.#current = undefined
      if (current !== undefined) this.#guard(() => current.lost())
      handler.closed()
    })
    this.#watchdog.watch()
  }

  /** Ends the connection with its present response, or at once when there is none and nothing has come of a next request. */
  finish(): void {
    this.#isLast = true
    if (this.#current === undefined && this.#isBetween) this.#endSending()
  }

  readonly #onData = (chunk: Buffer) => {
    if (this.#isLingering) return
    this.#guard(() => {
      this.#lastChunk = chunk
      this.#reader.feed(chunk)
      this.#lastChunk = undefined
      this.#afterReading()
    })
  }

  #afterReading(): void {
    if (this.#current === undefined) {
      const isBetween = this.#reader.isBetween
      if (isBetween === this.#isBetween) return
      this.#isBetween = isBetween
      this.#waitsSince = this.#clock.now()
      this.#watchdog.watch()
    } else if (this.#reader.waiting > this.#limits.maxHeadBytes && !this.#isPaused) {
      this.#isPaused = true
      this.socket.pause()
    }
  }

  readonly #onEnd = () => {
    if (this.#isLingering) return
    this.#guard(() => {
      const current = this.#current
      if (current === undefined || !current.isWhole) this.#reader.ended()
      this.#hasEnded = true
      if (this.socket.destroyed || (current === undefined && this.#current !== undefined)) return
      if (current === undefined) return this.#endSending()
      // A body that broke off has no answer, and a tunnel needs both directions. Within a response nothing can be sent to find out.
      const isGone = !current.isWhole || current.hasHead || current.head.upgrade !== ''
      if (isGone) return void this.socket.destroy()
      current.begin()
    })
  }

  readonly #onDrain = () => this.#guard(() => this.#current?.drained())

  #begin(head: RequestHead): void {
    const request = new ServerRequest(this, head, this.#clock)
    this.#current = request
    this.#handler.begin(request)
  }

  #wholeRequest(): void {
    const current = this.#current
    if (current === undefined) return this.#next()
    current.whole()
    if (current.isClosed) return this.#over(current)
    this.resumeReading()
    if (this.#hasEnded && current.head.upgrade === '') current.begin()
  }

  #fault(fault: MessageFault): void {
    const current = this.#current
    if (current !== undefined) return current.isClosed ? void this.socket.destroy() : current.spoil(fault)
    this.#refuse(fault, this.#lastChunk?.toString('latin1', 0, 5) === 'HEAD ')
  }

  #refuse(fault: MessageFault | 'head_timeout', isHead: boolean): void {
    this.#isLast = true
    const head = isHead ? { ...NO_REQUEST, method: 'HEAD' } : NO_REQUEST
    const request = new ServerRequest(this, head, this.#clock)
    request.whole()
    this.#current = request
    this.#handler.refuse(request, fault)
  }

  /** Called when a response is over. The next request begins when the rest of the present one was read. */
  finished(request: ServerRequest): void {
    if (this.#current === request) this.#over(request)
  }

  #over(request: ServerRequest): void {
    if (request.isLast || this.#isLast) {
      this.#current = undefined
      return this.#endSending()
    }
    this.#waitsSince = this.#clock.now()
    if (!request.isWhole) {
      this.resumeReading()
      return this.#watchdog.watch()
    }
    this.#current = undefined
    this.#next()
  }

  #next(): void {
    this.#isBetween = true
    this.resumeReading()
    this.#reader.next()
    if (this.#current !== undefined) return
    if (this.#hasEnded) return this.#endSending()
    this.#isBetween = this.#reader.isBetween
    this.#waitsSince = this.#clock.now()
    this.#watchdog.watch()
  }

  resumeReading(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.socket.resume()
  }

  pauseReading(): void {
    if (this.#isPaused) return
    this.#isPaused = true
    this.socket.pause()
  }

  /** Sends the end, and reads and drops what the client still sends: a reset would lose it the response. */
  #endSending(): void {
    this.#reader.stop()
    this.#isLingering = true
    this.socket.resume()
    this.socket.end()
    this.#waitsSince = this.#clock.now()
    this.#watchdog.watch()
  }

  #dueAt(): number {
    const { headMs, idleMs, lingerMs } = this.#limits
    if (this.#isLingering) return this.#waitsSince + lingerMs
    if (this.#current !== undefined)
      return this.#current.isClosed ? this.#waitsSince + this.#current.restMs : Number.POSITIVE_INFINITY
    return this.#waitsSince + (this.#isBetween ? idleMs : headMs)
  }

  #late(): void {
    if (this.#isLingering || this.#current !== undefined || this.#isBetween) return void this.socket.destroy()
    this.#reader.stop()
    this.#refuse('head_timeout', false)
  }

  /** Gives the socket to a tunnel. @returns the bytes that came after the request. */
  release(): Buffer {
    this.#watchdog.stop()
    const rest = this.#reader.takeRest()
    const { socket } = this
    socket.off('data', this.#onData)
    socket.off('end', this.#onEnd)
    socket.off('drain', this.#onDrain)
    socket.off('error', ignored)
    this.#current = undefined
    return rest
  }

  #guard(run: () => void): void {
    try {
      run()
    } catch (error) {
      this.#handler.lost(error)
      this.socket.destroy()
    }
  }
}

/** The socket's close follows, and tells all that matters. */
const ignored = () => {}

const NO_REQUEST: RequestHead = {
  method: '',
  target: '',
  minor: 1,
  headers: [],
  bodyBytes: 0,
  keepAlive: false,
  expects: '',
  upgrade: '',
  host: '',
  hasContent: false,
}

/** One request of a client, its body, and the way to answer it. */
export class ServerRequest {
  readonly head: RequestHead
  readonly #connection: ServerConnection
  readonly #clock: Clock
  /** Set when its owner has it. */
  owner: RequestOwner | undefined
  /** Whether the whole request was read. */
  isWhole = false
  /** Whether the response is over, or the client is gone. */
  isClosed = false
  /** Whether the connection ends with this response. */
  isLast: boolean
  /** Time in ms for which the rest of its body is read and dropped after the response. */
  restMs = 0
  hasHead = false
  onDrain = () => {}
  #reader: BodyReader | undefined
  #held: Buffer[] | undefined
  #isPaused = false
  #isDropped = false
  #isDelivered = false
  #heldBytes = 0
  #framing: BodyFraming = 'none'
  /** Head that waits for the first bytes of the body. */
  #pending = ''
  /** Bytes of the next head's beginning that were sent already. */
  #begun = 0
  #nextByte: Timer | undefined

  constructor(connection: ServerConnection, head: RequestHead, clock: Clock) {
    this.#connection = connection
    this.#clock = clock
    this.head = head
    this.isLast = !head.keepAlive
  }

  get socket(): Socket {
    return this.#connection.socket
  }

  // ———— the request's body

  /** Delivers the body from now on, what was held at once. */
  read(reader: BodyReader): void {
    this.#reader = reader
    if (!this.#isPaused) this.#deliver()
  }

  #deliver(): void {
    const reader = this.#reader
    if (reader === undefined) return
    while (!this.#isPaused && this.#held !== undefined) {
      const chunk = this.#held.shift()
      if (this.#held.length === 0) this.#held = undefined
      this.#heldBytes -= chunk?.length ?? 0
      if (chunk !== undefined) reader.data(chunk)
    }
    if (this.#held === undefined && this.isWhole) this.#endBody()
  }

  #endBody(): void {
    if (this.#isDropped || this.#isDelivered || this.#reader === undefined) return
    this.#isDelivered = true
    this.#reader.end()
  }

  pause(): void {
    this.#isPaused = true
    if (!this.isWhole) this.#connection.pauseReading()
  }

  resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#deliver()
    if (!this.#isPaused && !this.isWhole) this.#connection.resumeReading()
  }

  /** Reads and drops what is still to come. */
  drop(): void {
    this.#isDropped = true
    this.#held = undefined
    this.#isPaused = false
    if (!this.isWhole) this.#connection.resumeReading()
  }

  /** A part of the body has arrived. */
  receive(chunk: Buffer): void {
    if (this.#isDropped) return
    if (this.#reader !== undefined && !this.#isPaused && this.#held === undefined) return this.#reader.data(chunk)
    this.#held ??= []
    this.#held.push(chunk)
    this.#heldBytes += chunk.length
    if (this.#heldBytes > HELD_BYTES) this.#connection.pauseReading()
  }

  /** The whole request has arrived. */
  whole(): void {
    this.isWhole = true
    if (this.#held === undefined) this.#endBody()
  }

  /** The rest of the request cannot be read. */
  spoil(fault: MessageFault): void {
    this.isLast = true
    this.#reader?.broke(new Error(fault.detail))
    this.owner?.spoilt(fault)
  }

  /** The client is gone. */
  lost(): void {
    if (this.isClosed) return
    this.isClosed = true
    if (this.#nextByte !== undefined) this.#clock.cancel(this.#nextByte)
    this.owner?.closed(false)
    if (!this.isWhole) this.#reader?.broke(new Error('the client closed its connection'))
  }

  // ———— the response

  /** Sends the beginning of the response, whatever it will be, so that a client that has gone is noticed. */
  begin(): void {
    this.#nextByte = undefined
    if (this.hasHead || this.isClosed || this.#begun === BEGINNING.length) return
    this.socket.write(BEGINNING.charAt(this.#begun), 'latin1')
    this.#begun += 1
    const later = this.#begun - AT_ONCE
    if (later < 0) setImmediate(() => this.begin())
    else this.#nextByte = this.#clock.after(NEXT_BYTE_MS * 4 ** later, () => this.begin())
  }

  /** The rest of a head whose beginning was sent. */
  #afterBeginning(head: string): string {
    const rest = head.slice(this.#begun)
    this.#begun = 0
    if (this.#nextByte !== undefined) this.#clock.cancel(this.#nextByte)
    this.#nextByte = undefined
    return rest
  }

  /** Whether an interim response can be sent now: they are never queued. */
  get takesInterim(): boolean {
    return !this.isClosed && !this.hasHead && this.head.minor === 1 && !this.socket.writableNeedDrain
  }

  inform(status: number, headers: RawHeaders): void {
    if (this.takesInterim)
      this.socket.write(this.#afterBeginning(responseHeadText(status, undefined, headers, '')), 'latin1')
  }

  /** Asks for the body, unless all of it has come (RFC 9110 section 10.1.1). */
  sayContinue(): void {
    if (!this.isWhole && !this.hasHead && !this.isClosed) this.socket.write(CONTINUE, 'latin1')
  }

  /** Sets the head. It is written with the first bytes of the body, or by `flush`. */
  writeHead(status: number, statusText: string | undefined, headers: RawHeaders, framing: BodyFraming): void {
    this.hasHead = true
    this.#framing = framing
    if (framing === 'close') this.isLast = true
    const date = firstField(headers, 'date') === undefined ? dateLine(this.#clock) : ''
    const connection = this.isLast ? 'connection: close\r\n' : this.#connection.keepAliveLines
    const coding = framing === 'chunked' ? CHUNKED_LINE : ''
    this.#pending = this.#afterBeginning(responseHeadText(status, statusText, headers, date + connection + coding))
  }

  /** Writes the head when it still waits. */
  flush(): void {
    if (this.#pending === '') return
    this.socket.write(this.#pending, 'latin1')
    this.#pending = ''
  }

  /** @returns false when the client should be waited for: `onDrain` is called then. */
  write(chunk: Buffer): boolean {
    const { socket } = this
    if (this.isClosed || this.#framing === 'none') return true
    const isChunked = this.#framing === 'chunked'
    const before = isChunked ? `${this.#pending}${chunkHead(chunk.length)}` : this.#pending
    this.#pending = ''
    if (chunk.length <= COPIED_BYTES && (before !== '' || isChunked))
      return socket.write(`${before}${chunk.toString('latin1')}${isChunked ? CHUNK_END : ''}`, 'latin1')
    if (before === '') return socket.write(chunk)
    socket.cork()
    socket.write(before, 'latin1')
    socket.write(chunk)
    if (isChunked) socket.write(CHUNK_END, 'latin1')
    socket.uncork()
    return !socket.writableNeedDrain
  }

  /** Ends the response. @param text the rest of the body as latin1. */
  end(text: string, trailers: RawHeaders): void {
    if (this.isClosed) return
    const { socket } = this
    const isChunked = this.#framing === 'chunked'
    const body = this.#framing === 'none' ? '' : text
    const rest = isChunked
      ? `${body === '' ? '' : chunkHead(body.length) + body + CHUNK_END}${lastChunk(trailers)}`
      : body
    const last = this.#pending + rest
    this.#pending = ''
    if (last !== '') socket.write(last, 'latin1')
    if (socket.writableLength === 0) this.#finish()
    else socket.write('', () => this.#finish())
  }

  #finish(): void {
    if (this.isClosed) return
    this.isClosed = true
    this.owner?.closed(true)
    this.#connection.finished(this)
  }

  drained(): void {
    if (!this.isClosed) this.onDrain()
  }

  /** Bytes of the response that the client has not taken. */
  untaken(): number {
    return untakenBytes(this.socket)
  }

  /** Whether all that was written has gone to the system. */
  get isFlushed(): boolean {
    return this.socket.writableLength === 0
  }

  /** Cuts the connection by a reset: not even a client that reads until the end takes a part for the whole. */
  cut(): void {
    this.socket.resetAndDestroy()
  }

  /** Takes the socket, for a tunnel. @returns bytes that came after the request. */
  release(): Buffer {
    return this.#connection.release()
  }
}

let dateSecond = 0
let dateText = ''

/** Line of Date (RFC 9110 section 6.6.1), made once a second. */
function dateLine(clock: Clock): string {
  const second = Math.floor(clock.wallNow() / 1000)
  if (second !== dateSecond) dateText = `date: ${httpDate(second * 1000)}\r\n`
  dateSecond = second
  return dateText
}
