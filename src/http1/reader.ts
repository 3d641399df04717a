/** Incremental readers of requests and responses: bytes go in as they come, heads, pieces of bodies and faults come out. */

import type { RawHeaders } from '../net/fields.ts'
import { CR, LF } from './chars.ts'
import { ChunkedDecoder, NO_TRAILERS } from './chunked.ts'
import { MessageFault, malformed } from './fault.ts'
import {
  CHUNKED,
  type HeadLimits,
  LONGEST_START_BYTES,
  parseRequestHead,
  parseResponseHead,
  type RequestHead,
  type ResponseHead,
  requestLineFault,
  requestStartFault,
  responseStartFault,
  statusLineFault,
  UNTIL_CLOSE,
} from './head.ts'
import { PartialHead } from './partial-head.ts'

/** Callbacks of both readers. They may call the reader, and may throw: what is not read by then is read at the next call. */
type BodyEvents = {
  /** A piece of the body: a part of the buffer that was fed, not a copy. Never empty. */
  data(chunk: Buffer): void
  /** The message is over. @param trailers flat like the headers of a head; empty for most. */
  end(trailers: RawHeaders): void
  /** The message is refused, or broke off. Nothing comes after it, and the reader takes no more bytes. */
  fault(fault: MessageFault): void
}

export type RequestEvents = BodyEvents & {
  head(head: RequestHead): void
}

export type ResponseEvents = BodyEvents & {
  /** An interim response, 100 to 199 without 101. The response to the same request still follows. */
  interim(head: ResponseHead): void
  /** The final response. After status 101 neither `data` nor `end` comes: the rest is for `takeRest`. */
  head(head: ResponseHead): void
}

/** The next byte belongs to one of these. */
const HEAD = 0
const LENGTH = 1
const CHUNKS = 2
const TO_THE_END = 3
/** A message is over, and the next one may not begin yet: bytes are kept. */
const HELD = 4
const STOPPED = 5

const NOTHING = Buffer.alloc(0)

/** Both directions share the bytes that are not read yet, the search for the end of a head, and bodies. */
abstract class MessageReader {
  protected readonly limits: HeadLimits
  /** The state is changed before a callback is called, so that the callback may call any method. */
  protected state = HEAD
  readonly #events: BodyEvents
  readonly #partial: PartialHead
  #isLineChecked = false
  #chunk: Buffer = NOTHING
  #at = 0
  readonly #later: Buffer[] = []
  #laterBytes = 0
  #left = 0
  #decoder: ChunkedDecoder | undefined
  #isReading = false
  #hasEnded = false
  #isCleanEnd = false

  constructor(events: BodyEvents, limits: HeadLimits) {
    this.#events = events
    this.limits = limits
    this.#partial = new PartialHead(limits.maxHeadBytes, false)
  }

  /**
   * Takes bytes that have come. Calls back before it returns, except when it is called from a callback. What is not read by then
   * is copied, so that the buffer can be used again.
   */
  feed(chunk: Buffer): void {
    if (this.state === STOPPED || this.#hasEnded || chunk.length === 0) return
    if (this.#at < this.#chunk.length || this.#later.length > 0) {
      this.#later.push(Buffer.from(chunk))
      this.#laterBytes += chunk.length
      return this.readOn()
    }
    this.#chunk = chunk
    this.#at = 0
    try {
      this.readOn()
    } finally {
      if (this.#chunk === chunk) this.#own()
    }
  }

  #own(): void {
    this.#chunk = this.#at < this.#chunk.length ? Buffer.from(this.#chunk.subarray(this.#at)) : NOTHING
    this.#at = 0
  }

  /** Reads no more: no callback comes after it, and later bytes are dropped. */
  stop(): void {
    this.state = STOPPED
    this.#decoder = undefined
    this.#partial.clear()
    this.#drop()
  }

  /** Bytes that are kept and not read. Outside of callbacks these come after the present message. The caller bounds them. */
  get waiting(): number {
    return this.#chunk.length - this.#at + this.#laterBytes
  }

  /** Gives the kept bytes away, after an upgrade, and stops. */
  takeRest(): Buffer {
    const rest = Buffer.concat([this.#chunk.subarray(this.#at), ...this.#later])
    this.stop()
    return rest
  }

  /** Whether no byte of the present message has come. */
  protected get isBeforeHead(): boolean {
    return this.state === HEAD && this.#partial.length === 0 && this.waiting === 0
  }

  /** A message begins at the next byte. @returns false when none may, or when all unread bytes were empty lines. */
  protected abstract beginHead(): boolean
  /** A head is in these bytes, without its final CRLF CRLF. */
  protected abstract takeHead(bytes: Buffer, from: number, to: number): void
  /** Fault of a start line of which more may come. */
  protected abstract startFault(bytes: Buffer, from: number, to: number): MessageFault | undefined
  /** Fault of a whole start line. */
  protected abstract lineFault(bytes: Buffer, from: number, to: number): MessageFault | undefined
  /** The body is over: sets the next state and calls `end`. */
  protected abstract finish(trailers: RawHeaders): void
  /** The connection has ended while no message is under way. */
  protected abstract endBetween(): void

  /** Reads until there are no bytes, the state forbids it, or a callback throws. A loop: many messages need no deep stack. */
  protected readOn(): void {
    if (this.#isReading) return
    this.#isReading = true
    try {
      while (this.#step());
      if (this.#hasEnded) this.#stepAtEnd()
    } finally {
      this.#isReading = false
    }
  }

  /** @param isClean false when the end may not be the one that the other side wanted: a reset, or no close_notify. */
  protected endInput(isClean: boolean): void {
    if (this.#hasEnded || this.state === STOPPED) return
    this.#hasEnded = true
    this.#isCleanEnd = isClean
    this.readOn()
  }

  /** The next byte that is not read; -1 when there is none. */
  protected get nextByte(): number {
    return this.#hasBytes() ? (this.#chunk[this.#at] ?? 0) : -1
  }

  protected skipByte(): void {
    this.#at += 1
  }

  /** The head is read: a body of that length follows. */
  protected beginBody(bodyBytes: number): void {
    this.#left = Math.max(0, bodyBytes)
    if (bodyBytes === CHUNKED) this.#decoder = new ChunkedDecoder(this.limits)
    this.state = bodyBytes === CHUNKED ? CHUNKS : bodyBytes === UNTIL_CLOSE ? TO_THE_END : LENGTH
  }

  protected fail(fault: MessageFault): void {
    this.stop()
    this.#events.fault(fault)
  }

  /** @returns whether to go on. */
  #step(): boolean {
    switch (this.state) {
      case HEAD:
        return this.#hasBytes() && this.#readHead()
      case LENGTH:
        return this.#readLength()
      case CHUNKS:
        return this.#hasBytes() && this.#readChunks()
      case TO_THE_END:
        if (!this.#hasBytes()) return false
        this.#events.data(this.#take(this.#chunk.length))
        return true
    }
    return false
  }

  #stepAtEnd(): void {
    if (this.state === STOPPED || this.state === HELD) return
    if (this.state === TO_THE_END && this.#isCleanEnd) {
      this.finish(NO_TRAILERS)
      return this.#stepAtEnd()
    }
    if (this.isBeforeHead) return this.endBetween()
    this.fail(incomplete(this.state === HEAD ? 'a head' : 'a body'))
  }

  #readHead(): boolean {
    if (this.#partial.length > 0) return this.#collectHead()
    if (!this.beginHead()) return false
    const from = this.#at
    const end = headEndIn(this.#chunk, from)
    if (end < 0) return this.#collectHead()
    if (end - from > this.limits.maxHeadBytes) return this.#refuseLarge(this.#chunk, from, end)
    this.#at = end
    this.takeHead(this.#chunk, from, end - 4)
    return true
  }

  /** Collects a head that comes in several pieces, and refuses it as soon as its beginning is wrong. */
  #collectHead(): boolean {
    const partial = this.#partial
    const from = this.#at
    const before = partial.length
    const to = partial.take(this.#chunk, from)
    const { bytes, length } = partial
    // The first bytes are looked at while they are few: looking at all of them, byte by byte, would be quadratic.
    if (before < LONGEST_START_BYTES) {
      const fault = this.startFault(bytes, 0, Math.min(length, LONGEST_START_BYTES))
      if (fault !== undefined) return this.#refuse(fault)
    }
    if (to instanceof MessageFault) return this.#refuse(to)
    this.#at = to
    // A start line that is too long is refused before its end comes. Looked at once.
    const longest = this.limits.maxTargetBytes + LONGEST_START_BYTES
    if (partial.firstLineLength < 0 && before <= longest && length > longest) {
      const fault = this.startFault(bytes, 0, length)
      if (fault !== undefined) return this.#refuse(fault)
    }
    if (partial.isTooLarge) return this.#refuseLarge(bytes, 0, length)
    if (!partial.isWhole) return this.#checkLine(partial)
    const { end } = partial
    partial.clear()
    this.#isLineChecked = false
    this.takeHead(bytes, 0, end)
    return true
  }

  /** Checks the start line once it is whole, and before the head is. */
  #checkLine(partial: PartialHead): boolean {
    if (this.#isLineChecked || partial.firstLineLength < 0) return true
    this.#isLineChecked = true
    const fault = this.lineFault(partial.bytes, 0, partial.firstLineLength)
    return fault === undefined || this.#refuse(fault)
  }

  /** A target over its limit is the reason when the start line is that long. */
  #refuseLarge(bytes: Buffer, from: number, to: number): false {
    const fault = this.startFault(bytes, from, to)
    return this.#refuse(fault ?? new MessageFault('head_too_large', 'the head is too large'))
  }

  #refuse(fault: MessageFault): false {
    this.fail(fault)
    return false
  }

  #readLength(): boolean {
    if (this.#left === 0) {
      this.finish(NO_TRAILERS)
      return true
    }
    if (!this.#hasBytes()) return false
    const piece = this.#take(this.#at + this.#left)
    this.#left -= piece.length
    this.#events.data(piece)
    return true
  }

  #readChunks(): boolean {
    const decoder = this.#decoder
    if (decoder === undefined) return false
    this.#at = decoder.read(this.#chunk, this.#at)
    const { fault, piece, trailers } = decoder
    if (fault !== undefined) return this.#refuse(fault)
    if (piece !== undefined) this.#events.data(piece)
    else if (trailers !== undefined) {
      this.#decoder = undefined
      this.finish(trailers)
    }
    return true
  }

  /** The unread bytes of the current chunk up to that index. */
  #take(to: number): Buffer {
    const from = this.#at
    this.#at = Math.min(to, this.#chunk.length)
    return from === 0 && to >= this.#chunk.length ? this.#chunk : this.#chunk.subarray(from, to)
  }

  /** Whether bytes are unread. Goes to the next chunk when one is read, and holds no chunk that is. */
  #hasBytes(): boolean {
    if (this.#at < this.#chunk.length) return true
    this.#chunk = this.#later.shift() ?? NOTHING
    this.#laterBytes -= this.#chunk.length
    this.#at = 0
    return this.#chunk.length > 0
  }

  #drop(): void {
    this.#chunk = NOTHING
    this.#at = 0
    this.#later.length = 0
    this.#laterBytes = 0
  }
}

/**
 * The index after the first CR LF CR LF that begins at `from` or later; -1 when there is none. Looks at every fourth byte
 * where there is neither CR nor LF: for a usual head that takes half the time of `Buffer.indexOf`.
 */
function headEndIn(bytes: Buffer, from: number): number {
  let at = from + 3
  while (at < bytes.length) {
    const byte = bytes[at]
    if (byte !== LF && byte !== CR) at += 4
    else if (byte === LF && bytes[at - 1] === CR && bytes[at - 2] === LF && bytes[at - 3] === CR) return at + 1
    else at += 1
  }
  return -1
}

const incomplete = (part: string) => new MessageFault('incomplete', `the connection ended within ${part}`)

/** Empty lines before a request are skipped, as RFC 9112 section 2.2 asks, but not without end. */
const MAX_EMPTY_LINES = 16

/** Reads the requests of one connection. After `end` it keeps what follows until `next` is called. */
export class RequestReader extends MessageReader {
  readonly #events: RequestEvents
  #emptyLines = 0
  #isAfterCr = false

  constructor(events: RequestEvents, limits: HeadLimits) {
    super(events, limits)
    this.#events = events
  }

  /** Begins the next request, with what was kept. @throws Error when the present one is not over. */
  next(): void {
    if (this.state === STOPPED) return
    if (this.state !== HELD) throw new Error('the present request is not over')
    this.state = HEAD
    this.#emptyLines = 0
    this.readOn()
  }

  /** Whether no byte of a request has come since the last one; empty lines count as none. False until `next` is called. */
  get isBetween(): boolean {
    return this.isBeforeHead
  }

  /** The client sends no more. Within a request, now or after `next`, that is a fault of kind `incomplete`. */
  ended(): void {
    this.endInput(true)
  }

  protected override beginHead(): boolean {
    for (;;) {
      const byte = this.nextByte
      if (this.#isAfterCr && byte >= 0 && byte !== LF) {
        this.fail(malformed('a CR alone is before the request'))
        return false
      }
      if (byte !== CR && byte !== LF) return byte >= 0
      if (byte === LF && !this.#isAfterCr) {
        this.fail(malformed('a LF alone is before the request'))
        return false
      }
      this.skipByte()
      this.#isAfterCr = byte === CR
      if (byte === LF) this.#emptyLines += 1
      if (this.#emptyLines > MAX_EMPTY_LINES) {
        this.fail(malformed('too many empty lines are before the request'))
        return false
      }
    }
  }

  protected override startFault(bytes: Buffer, from: number, to: number): MessageFault | undefined {
    return requestStartFault(bytes, from, to, this.limits)
  }

  protected override lineFault(bytes: Buffer, from: number, to: number): MessageFault | undefined {
    return requestLineFault(bytes, from, to, this.limits)
  }

  protected override takeHead(bytes: Buffer, from: number, to: number): void {
    const head = parseRequestHead(bytes, from, to, this.limits)
    if (head instanceof MessageFault) return this.fail(head)
    this.beginBody(head.bodyBytes)
    this.#events.head(head)
  }

  protected override finish(trailers: RawHeaders): void {
    this.state = HELD
    this.#events.end(trailers)
  }

  protected override endBetween(): void {}
}

/**
 * Reads the responses of one connection. For each `expect` there are heads and pieces and then `end`, or a `fault` for all that
 * are due.
 */
export class ResponseReader extends MessageReader {
  readonly #events: ResponseEvents
  /** Methods of the requests whose responses are due. */
  readonly #methods: string[] = []
  #hasInterim = false

  constructor(events: ResponseEvents, limits: HeadLimits) {
    super(events, limits)
    this.#events = events
  }

  /** A request with that method is sent, and the end has not come: a response may. Before, any byte is a fault: `unasked`. */
  expect(method: string): void {
    if (this.state !== STOPPED) this.#methods.push(method)
  }

  /** Whether no byte of a response, not even of an interim one, has come since the last final response. */
  get isBetween(): boolean {
    return this.isBeforeHead && !this.#hasInterim
  }

  /**
   * The server sends no more. A response that only the end delimits is over then, when the end is clean: it was no reset, and
   * TLS said close_notify. Any other response that is due or under way is a fault of kind `incomplete`.
   */
  ended(isClean: boolean): void {
    this.endInput(isClean)
  }

  protected override beginHead(): boolean {
    if (this.#methods.length > 0) return true
    this.fail(unasked())
    return false
  }

  protected override startFault(bytes: Buffer, from: number, to: number): MessageFault | undefined {
    return responseStartFault(bytes, from, to)
  }

  protected override lineFault(bytes: Buffer, from: number, to: number): MessageFault | undefined {
    return statusLineFault(bytes, from, to)
  }

  protected override takeHead(bytes: Buffer, from: number, to: number): void {
    const head = parseResponseHead(bytes, from, to, this.#methods[0] ?? '', this.limits)
    if (head instanceof MessageFault) return this.fail(head)
    this.#hasInterim = head.status < 200
    if (head.status === 101) {
      this.state = HELD
      this.#events.head(head)
    } else if (head.status < 200) this.#events.interim(head)
    else {
      this.beginBody(head.bodyBytes)
      this.#events.head(head)
    }
  }

  /** Bytes that came before the next request was sent are no response to it: they are refused before `end` can send one. */
  protected override finish(trailers: RawHeaders): void {
    this.#methods.shift()
    const isUnasked = this.#methods.length === 0 && this.waiting > 0
    if (isUnasked) this.stop()
    else this.state = HEAD
    this.#events.end(trailers)
    if (isUnasked) this.#events.fault(unasked())
  }

  protected override endBetween(): void {
    if (this.#methods.length > 0) this.fail(new MessageFault('incomplete', 'the connection ended before a response'))
  }
}

const unasked = () => new MessageFault('unasked', 'bytes came from the server that nobody had asked for')
