import { CR, HTAB, LF, SP } from './chars.ts'
import { type MessageFault, malformed } from './fault.ts'

/** The bytes before the next one that matter for where lines end. */
const WITHIN_LINE = 0
const AFTER_CR = 1
const AFTER_CRLF = 2
const AFTER_CRLF_CR = 3
const AT_END = 4

const FIRST_CAPACITY = 1024
const NOTHING = Buffer.alloc(0)

/**
 * Collects the lines of a head or a trailer section that come in several pieces, up to the empty line. Each byte is looked at
 * and copied once, and the memory grows by doubling, so that the work is linear even when the bytes come one by one.
 */
export class PartialHead {
  readonly #maxBytes: number
  readonly #start: number
  #bytes: Buffer = NOTHING
  #length = 0
  #state: number
  #firstLine = -1

  /**
   * @param maxBytes no more are collected, empty line included.
   * @param isAfterLine true for a trailer section: an empty line may be all of it.
   */
  constructor(maxBytes: number, isAfterLine: boolean) {
    this.#maxBytes = maxBytes
    this.#start = isAfterLine ? AFTER_CRLF : WITHIN_LINE
    this.#state = this.#start
  }

  /** Number of bytes collected. */
  get length(): number {
    return this.#length
  }

  /** Whether the empty line has come. */
  get isWhole(): boolean {
    return this.#state === AT_END
  }

  /** Whether more bytes have come than the limit allows. */
  get isTooLarge(): boolean {
    return this.#length > this.#maxBytes || (this.#length === this.#maxBytes && !this.isWhole)
  }

  /** Length of the first line, without its end; -1 while that has not come. */
  get firstLineLength(): number {
    return this.#firstLine
  }

  /** The bytes collected, and more behind them: `length` says where they end. */
  get bytes(): Buffer {
    return this.#bytes
  }

  /** Index after the last byte of the lines, without the last CRLF and the empty line. Only when it is whole. */
  get end(): number {
    return Math.max(0, this.#length - 4)
  }

  /**
   * Collects bytes up to the empty line, a fault or the limit. Read `isWhole` and `isTooLarge` next.
   * @returns the index of the first byte that is not collected, or a fault: a control character, a CR or LF alone.
   */
  take(bytes: Buffer, from: number): number | MessageFault {
    const end = Math.min(bytes.length, from + this.#maxBytes - this.#length)
    let at = from
    while (at < end && this.#state !== AT_END) {
      const state = stateAfter(bytes[at] ?? 0, this.#state)
      if (state < 0) {
        this.#keep(bytes, from, at + 1)
        return malformed('a CR or LF ends no line, or there is a control character')
      }
      at += 1
      this.#state = state
      if (state === AFTER_CRLF && this.#firstLine < 0) this.#firstLine = this.#length + at - from - 2
    }
    this.#keep(bytes, from, at)
    return at
  }

  /** Forgets what was collected. */
  clear(): void {
    this.#bytes = NOTHING
    this.#length = 0
    this.#state = this.#start
    this.#firstLine = -1
  }

  #keep(bytes: Buffer, from: number, to: number): void {
    const length = this.#length + to - from
    if (length > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(length, 2 * this.#bytes.length, FIRST_CAPACITY))
      this.#bytes.copy(larger, 0, 0, this.#length)
      this.#bytes = larger
    }
    bytes.copy(this.#bytes, this.#length, from, to)
    this.#length = length
  }
}

/** @returns -1 for a fault. */
function stateAfter(byte: number, state: number): number {
  if (byte === CR) return state === WITHIN_LINE ? AFTER_CR : state === AFTER_CRLF ? AFTER_CRLF_CR : -1
  if (byte === LF) return state === AFTER_CR ? AFTER_CRLF : state === AFTER_CRLF_CR ? AT_END : -1
  if (state === AFTER_CR || state === AFTER_CRLF_CR) return -1
  return (byte < SP && byte !== HTAB) || byte === 0x7f ? -1 : WITHIN_LINE
}
