/** The chunked transfer coding (RFC 9112 section 7.1), decoded strictly and without a copy. */

import type { RawHeaders } from '../net/fields.ts'
import { CR, isOf, LF, QUOTED, TOKEN } from './chars.ts'
import { MessageFault, malformed } from './fault.ts'
import { FieldLines, readFieldLines, Section } from './field-lines.ts'
import type { HeadLimits } from './head.ts'
import { PartialHead } from './partial-head.ts'

export const NO_TRAILERS: RawHeaders = []

/** More hex digits than 2^53-1 has could only be zeros in front. */
const MAX_SIZE_DIGITS = 16

/** The part of the coding that the next byte belongs to. */
const SIZE_START = 0
const SIZE = 1
const EXTENSION_NAME_START = 2
const EXTENSION_NAME = 3
const EXTENSION_VALUE_START = 4
const EXTENSION_TOKEN = 5
const EXTENSION_QUOTED = 6
const EXTENSION_ESCAPED = 7
const EXTENSION_QUOTED_END = 8
const LINE_LF = 9
const CONTENT = 10
const CONTENT_CR = 11
const CONTENT_LF = 12
const TRAILERS = 13
const OVER = 14

/**
 * Decodes one chunked body. Refuses what RFC 9112 lets a recipient repair: whitespace around a size or within an extension,
 * a CR or LF alone. Extensions are checked and dropped; with the trailers they take at most `maxHeadBytes` in the whole body.
 */
export class ChunkedDecoder {
  readonly #limits: HeadLimits
  #state = SIZE_START
  #size = 0
  #digits = 0
  #extensionBytes = 0
  #trailerLines: PartialHead | undefined
  #trailers: RawHeaders | undefined
  #piece: Buffer | undefined
  #fault: MessageFault | undefined

  constructor(limits: HeadLimits) {
    this.#limits = limits
  }

  /** Content that the last `read` found: a part of its buffer, not a copy; undefined when it found none. */
  get piece(): Buffer | undefined {
    return this.#piece
  }

  /** The trailer fields, once the body is over; undefined before. Without those that belong into a head. */
  get trailers(): RawHeaders | undefined {
    return this.#trailers
  }

  /** Why the body is refused: `malformed`, or `head_too_large` for extensions and trailers. Read no more after one. */
  get fault(): MessageFault | undefined {
    return this.#fault
  }

  /**
   * Reads on from index `from`, up to the next piece of content, the end of the body, a fault or the end of the bytes.
   * @returns the index of the first byte that is not read.
   */
  read(bytes: Buffer, from: number): number {
    this.#piece = undefined
    let at = from
    while (at < bytes.length && this.#fault === undefined && this.#state !== OVER) {
      if (this.#state === CONTENT) return this.#takeContent(bytes, at)
      if (this.#state === TRAILERS) return this.#takeTrailers(bytes, at)
      this.#take(bytes[at] ?? 0)
      at += 1
    }
    return at
  }

  #takeContent(bytes: Buffer, from: number): number {
    const to = Math.min(bytes.length, from + this.#size)
    this.#size -= to - from
    if (this.#size === 0) this.#state = CONTENT_CR
    this.#piece = from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to)
    return to
  }

  #take(byte: number): void {
    switch (this.#state) {
      case SIZE_START:
      case SIZE:
        return this.#takeSize(byte)
      case LINE_LF:
        if (byte !== LF) return this.#refuse('a chunk size line has a CR that ends no line')
        this.#state = this.#size > 0 ? CONTENT : TRAILERS
        return
      case CONTENT_CR:
        if (byte !== CR) return this.#refuse('a chunk is not followed by CRLF')
        this.#state = CONTENT_LF
        return
      case CONTENT_LF:
        if (byte !== LF) return this.#refuse('a chunk is not followed by CRLF')
        this.#state = SIZE_START
        return
      default:
        return this.#takeExtension(byte)
    }
  }

  #takeSize(byte: number): void {
    const digit = hexDigit(byte)
    if (digit >= 0) {
      const isFirst = this.#state === SIZE_START
      this.#size = isFirst ? digit : 16 * this.#size + digit
      this.#digits = isFirst ? 1 : this.#digits + 1
      this.#state = SIZE
      if (this.#size > Number.MAX_SAFE_INTEGER || this.#digits > MAX_SIZE_DIGITS)
        this.#refuse('a chunk size is too large')
    } else if (this.#state === SIZE && byte === CR) this.#state = LINE_LF
    else if (this.#state === SIZE && byte === SEMICOLON) this.#state = EXTENSION_NAME_START
    else this.#refuse('a chunk size is not hexadecimal digits alone')
  }

  /** `;name`, `;name=token` or `;name="quoted"`, without any whitespace (RFC 9112 section 7.1.1). */
  #takeExtension(byte: number): void {
    this.#extensionBytes += 1
    const state = extensionStateAfter(byte, this.#state)
    if (state < 0) this.#refuse('a chunk extension is not valid')
    else if (this.#extensionBytes > this.#limits.maxHeadBytes) this.#refuseAsTooLarge()
    else this.#state = state
  }

  #takeTrailers(bytes: Buffer, from: number): number {
    this.#trailerLines ??= new PartialHead(this.#limits.maxHeadBytes - this.#extensionBytes, true)
    const lines = this.#trailerLines
    const to = lines.take(bytes, from)
    if (to instanceof MessageFault) {
      this.#fault = to
      return from
    }
    if (lines.isTooLarge) this.#refuseAsTooLarge()
    else if (lines.isWhole) this.#finish(lines)
    return to
  }

  #finish(lines: PartialHead): void {
    this.#state = OVER
    if (lines.length === 2) this.#trailers = NO_TRAILERS
    else {
      const read = readTrailers(new Section(lines.bytes, 0, lines.end), this.#limits.maxFields)
      if (read instanceof MessageFault) this.#fault = read
      else this.#trailers = read
    }
  }

  #refuse(detail: string): void {
    this.#fault = malformed(detail)
  }

  #refuseAsTooLarge(): void {
    this.#fault = new MessageFault('head_too_large', 'the chunk extensions and trailers are too large')
  }
}

const SEMICOLON = 0x3b
const EQUALS = 0x3d
const QUOTE = 0x22
const BACKSLASH = 0x5c

/** @returns -1 for a fault. */
function extensionStateAfter(byte: number, state: number): number {
  switch (state) {
    case EXTENSION_NAME_START:
      return isOf(byte, TOKEN) ? EXTENSION_NAME : -1
    case EXTENSION_NAME:
      if (isOf(byte, TOKEN)) return EXTENSION_NAME
      return byte === EQUALS ? EXTENSION_VALUE_START : afterExtension(byte)
    case EXTENSION_VALUE_START:
      if (byte === QUOTE) return EXTENSION_QUOTED
      return isOf(byte, TOKEN) ? EXTENSION_TOKEN : -1
    case EXTENSION_TOKEN:
      return isOf(byte, TOKEN) ? EXTENSION_TOKEN : afterExtension(byte)
    case EXTENSION_QUOTED:
      if (byte === QUOTE) return EXTENSION_QUOTED_END
      return byte === BACKSLASH ? EXTENSION_ESCAPED : isOf(byte, QUOTED) ? EXTENSION_QUOTED : -1
    case EXTENSION_ESCAPED:
      return isOf(byte, QUOTED) || byte === QUOTE || byte === BACKSLASH ? EXTENSION_QUOTED : -1
    default:
      return afterExtension(byte)
  }
}

function afterExtension(byte: number): number {
  if (byte === SEMICOLON) return EXTENSION_NAME_START
  return byte === CR ? LINE_LF : -1
}

/** @returns -1 when it is none. */
function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const lower = byte | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
}

/** Trailer fields that say where a message ends, whom it is for or what becomes of its connection: refused. */
const REFUSED_TRAILERS = new Set(['content-length', 'transfer-encoding', 'host', 'connection', 'upgrade'])

/**
 * Trailer fields that belong into a head (RFC 9110 section 6.5.1: routing, request modifiers, authentication, how to read the
 * content): dropped, since a reader who merges trailers into the head would take them for true.
 */
const DROPPED_TRAILERS = new Set(
  `accept-encoding age authentication-info authorization cache-control content-encoding content-location content-range
  content-type cookie date expect expires forwarded if-match if-modified-since if-none-match if-range if-unmodified-since
  keep-alive location max-forwards origin pragma proxy-authenticate proxy-authentication-info proxy-authorization
  proxy-connection range retry-after set-cookie te trailer vary via www-authenticate x-forwarded-for x-forwarded-host
  x-forwarded-proto`.split(/\s+/),
)

function readTrailers(section: Section, maxFields: number): RawHeaders | MessageFault {
  const lines = new FieldLines()
  const fault = readFieldLines(section, 0, maxFields, lines)
  if (fault !== undefined) return fault
  const kept: string[] = []
  for (let i = 0; i < lines.headers.length; i += 2) {
    const name = lines.headers[i] ?? ''
    const lower = name.toLowerCase()
    if (REFUSED_TRAILERS.has(lower)) return malformed('the trailers have a field that frames or routes a message')
    if (!DROPPED_TRAILERS.has(lower)) kept.push(name, lines.headers[i + 1] ?? '')
  }
  return kept
}
