import type { Socket } from 'node:net'
import { type Clock, httpDate, type Timer } from '../clock.ts'
import { untakenBytes } from '../net/send-queue.ts'
import { firstField, type RawHeaders } from '../net/fields.ts'
import type { MessageFault } from './fault.ts'
import type { RequestHead } from './head.ts'
import { CHUNK_END, CHUNKED_LINE, CONTINUE, chunkHead, lastChunk, responseHeadText } from './write.ts'

/** Answers a request. */
export type RequestOwner = {
  /** The response is over, or the client is gone. @param finished whether the whole response was sent. */
  closed(finished: boolean): void
  /** The rest of the request cannot be read. */
  spoilt(fault: MessageFault): void
}

/** The connection of a request, as the request uses it. */
type Connection = {
  readonly socket: Socket
  /** Lines of a response's head that keep the connection. */
  readonly keepAliveLines: string
  pauseReading(): void
  resumeReading(): void
  /** The response is over. */
  finished(request: ServerRequest): void
  /** Gives the socket away. @returns the bytes that came after the request. */
  release(): Buffer
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

/** One request of a client, its body, and the way to answer it. */
export class ServerRequest {
  readonly head: RequestHead
  readonly #connection: Connection
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

  constructor(connection: Connection, head: RequestHead, clock: Clock) {
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
