import type { Socket } from 'node:net'

const END_OF_HEAD = '\r\n\r\n'
/** First bytes of a response that tell its status: `HTTP/1.1 100`. */
const STATUS_BYTES = 12
const INTERIM = /^HTTP\/1\.\d 1\d\d/
const CONTINUE = /^HTTP\/1\.\d 100/
const SWITCHING = /^HTTP\/1\.\d 101/
/** Largest number of `100 Continue` that are dropped before one response, and of bytes of one of them. */
const MAX_DROPPED = 100
const MAX_BYTES = 64 * 1024

/**
 * Drops the `100 Continue` that an upstream sends before its response. The sidecar answers its client's Expect itself, and a
 * client must be able to take a 1xx that it did not ask for (RFC 9110 section 15.2); undici closes the connection at one.
 * Stands in the socket's `read`, by which undici takes the bytes of a response, and passes every other byte on.
 */
export class InterimFilter {
  readonly #read: () => Buffer | null
  /** Bytes that may be the beginning of a 1xx head. */
  #held: Buffer = Buffer.alloc(0)
  #dropped = 0
  /** Whether the head of the response is still to come. */
  #isBeforeHead = true

  constructor(socket: Socket) {
    const read = socket.read.bind(socket)
    this.#read = () => read() as Buffer | null
    // Node's own `read(0)` only asks the system for more bytes.
    socket.read = (size?: number) => (size === undefined ? this.#filtered() : read(size))
  }

  /** A request is sent: its response begins with the next byte. */
  begin(): void {
    this.#isBeforeHead = true
    this.#dropped = 0
  }

  #filtered(): Buffer | null {
    for (;;) {
      const chunk = this.#read()
      if (chunk === null || !this.#isBeforeHead) return chunk
      const passed = this.#passed(Buffer.concat([this.#held, chunk]))
      if (passed.length > 0) return passed
    }
  }

  /** The bytes that go on now. What may be a `100 Continue` is held until its head is whole. */
  #passed(bytes: Buffer): Buffer {
    const passed: Buffer[] = []
    let rest = bytes
    this.#held = Buffer.alloc(0)
    while (rest.length > 0) {
      const start = rest.toString('latin1', 0, STATUS_BYTES)
      if (rest.length < STATUS_BYTES && 'HTTP/1.'.startsWith(start.slice(0, 7))) {
        this.#held = rest
        break
      }
      const isInterim = INTERIM.test(start) && !SWITCHING.test(start) && this.#dropped < MAX_DROPPED
      const end = isInterim ? rest.indexOf(END_OF_HEAD, 0, 'latin1') : -1
      if (isInterim && end < 0 && rest.length < MAX_BYTES) {
        this.#held = rest
        break
      }
      if (end < 0) {
        this.#isBeforeHead = false
        passed.push(rest)
        break
      }
      const head = rest.subarray(0, end + END_OF_HEAD.length)
      if (CONTINUE.test(start)) this.#dropped += 1
      else passed.push(head)
      rest = rest.subarray(head.length)
    }
    return passed.length === 1 && passed[0] !== undefined ? passed[0] : Buffer.concat(passed)
  }
}
