import type { Socket } from 'node:net'
import { type Clock, Watchdog } from '../clock.ts'
import { readShared } from '../net/read.ts'
import type { MessageFault } from './fault.ts'
import type { HeadLimits, RequestHead } from './head.ts'
import { RequestReader } from './reader.ts'
import { ServerRequest } from './server-request.ts'

export type ServerLimits = HeadLimits & {
  /** Longest time to receive a head, in ms. */
  readonly headMs: number
  /** Time in ms for which a connection without a request is kept. */
  readonly idleMs: number
  /** Time in ms for which a client may go on sending after the last response of its connection. */
  readonly lingerMs: number
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
  /** Takes its callback from the socket. */
  readonly #stopReading: () => void
  /** Clients that know Keep-Alive do not reuse a connection that is about to end. */
  readonly keepAliveLines: string
  /** Monotonic ms from which the present wait is counted: for a request, or for the rest of a head or body. */
  #waitsSince: number
  #isBetween = true
  #current: ServerRequest | undefined
  /** The bytes that are being read, while a request may begin with them. */
  #lastChunk: Buffer | undefined
  /** Whether the bytes that are being read stay what they are. */
  #isOwn = false
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
        data: (chunk) => this.#current?.receive(this.#isOwn ? chunk : Buffer.from(chunk)),
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
    this.#stopReading = readShared(socket, this.#onData)
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

  readonly #onData = (chunk: Buffer, isOwn: boolean) => {
    if (this.#isLingering) return
    this.#isOwn = isOwn
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
    this.#lastChunk = undefined
    const request = new ServerRequest(this, head, this.#clock)
    this.#current = request
    this.#handler.begin(request)
  }

  #wholeRequest(): void {
    const current = this.#current
    if (current === undefined) return this.#next()
    this.#lastChunk = undefined
    const wasAnswered = current.isClosed
    current.whole()
    if (wasAnswered) return this.#over(current)
    // Its owner may have answered it at its end.
    if (this.#current !== current) return
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
    this.#stopReading()
    socket.off('end', this.#onEnd)
    socket.off('drain', this.#onDrain)
    socket.off('error', ignored)
    this.#current = undefined
    // From here on a drain leaves the socket to its tunnel.
    this.#isBetween = false
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
