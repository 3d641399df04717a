import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Clock } from '../clock.ts'
import { readShared } from '../net/read.ts'
import { untakenBytes } from '../net/send-queue.ts'
import { firstField, type RawHeaders } from '../net/fields.ts'
import { MessageFault } from './fault.ts'
import type { HeadLimits, ResponseHead } from './head.ts'
import { ResponseReader } from './reader.ts'
import { CHUNK_END, CHUNKED_LINE, chunkHead, LAST_CHUNK, requestHeadText } from './write.ts'

/** A request as it is sent. */
export type OutgoingRequest = {
  readonly method: string
  readonly target: string
  /** Value of Host. */
  readonly host: string
  readonly headers: RawHeaders
  /** Protocol that the request asks for; undefined for none. */
  readonly upgrade: string | undefined
  readonly body: OutgoingBody | undefined
}

/** A request body; `policy/exchange.ts` says what is expected of it. */
export type OutgoingBody = {
  open(receiver: { data(chunk: Buffer): boolean; end(): void; fail(error: Error): void }): {
    resume(): void
    stop(): void
  }
}

/** The head of a response, as far as a call reads it. HTTP/2 has no reason phrase. */
export type ResponseStart = Pick<ResponseHead, 'status' | 'statusText' | 'headers'>

/** Progress of one request. Nothing follows `switched`, `end` or `failed`. */
export type ResponseEvents = {
  /** Called before the first byte is sent. @param connectMs of a new connection; undefined for a used one. */
  started(connectMs: number | undefined): void
  /** A part of the body was sent. */
  bodySent(): void
  requestSent(): void
  interim(head: ResponseStart): void
  head(head: ResponseStart): void
  /** A 101 that was asked for. The socket is paused. */
  switched(head: ResponseStart, socket: Duplex): void
  data(chunk: Buffer): void
  end(trailers: RawHeaders): void
  failed(error: Error | MessageFault): void
  /** Bytes that are no response; `failed` follows. */
  unreadable(fault: MessageFault, received: Buffer): void
  /** An error thrown by one of the above. The request ends. */
  lost(error: unknown): void
}

/** A connection asks its owner for limits and sockets, and tells it when it is free or lost. */
export type ClientConnectionOwner = {
  /** Limits of the responses, asked for each socket. */
  readonly limits: () => HeadLimits
  /** Opens a socket. It is connected, including TLS, when `onConnected` is called; its errors are the connection's. */
  readonly connect: (onConnected: () => void) => Socket
  /** Called when no request is under way any more. `keepAliveMs`: for how long the server keeps it; undefined if it does not say. */
  readonly onFree: (connection: ClientConnection, keepAliveMs: number | undefined) => void
  /** The idle socket has closed, or is of no use. */
  readonly onLost: (connection: ClientConnection) => void
}

/** Methods of which a server expects content, and is told that there is none (RFC 9110 section 8.6). */
const LENGTH_EXPECTED = new Set(['POST', 'PUT', 'PATCH'])

/** The request body broke off at its source: the upstream is not to blame. */
export const BODY_BROKE = 'ERR_REQUEST_BODY_BROKE'
/** The connection was reset while the request was being sent, and no response came with it. */
export const REFUSED_WHILE_SENDING = 'ERR_REFUSED_WHILE_SENDING'

const withCode = (message: string, code: string, cause?: unknown) =>
  Object.assign(new Error(message, { cause }), { code })

/**
 * A connection to an upstream over HTTP/1.1 (RFC 9112): one request at a time, over a socket that is opened when a request needs
 * it, and again after it was lost. Knows no policy and sets no timer.
 */
export class ClientConnection {
  readonly #owner: ClientConnectionOwner
  readonly #clock: Clock
  #socket: Socket | undefined
  #reader: ResponseReader | undefined
  #isUp = false
  /** Takes its listeners from the socket. */
  #release = () => {}
  /** Whether the socket had a request before the present one. */
  #isUsed = false
  /**
   * Since the last response not one turn of I/O has passed: a close that came with it would not have been seen. A request waits
   * for that turn.
   */
  #isResting = false
  /** Request that waits for that turn. */
  #next: { readonly request: OutgoingRequest; readonly events: ResponseEvents } | undefined
  #request: OutgoingRequest | undefined
  #events: ResponseEvents | undefined
  #feed: { resume(): void; stop(): void } | undefined
  #isSent = false
  #isChunked = false
  #hasHead = false
  /** Whether the socket can carry another request after the present response. */
  #isReusable = false
  #keepAliveMs: number | undefined
  /** Error of a write, after which the socket is still read: the response may have come before it. */
  #writeError: Error | undefined
  #error: Error | undefined
  /** Bytes that are being read. */
  #chunk: Buffer | undefined
  /** Whether they stay what they are. */
  #isOwn = false
  /** Time that the socket took to connect, including TLS, in ms. */
  connectMs = 0
  /** Time for which the socket was idle before the present request, in ms; its owner's note. */
  idledMs = 0

  constructor(owner: ClientConnectionOwner, clock: Clock) {
    this.#owner = owner
    this.#clock = clock
  }

  /** Whether its socket is connected. */
  get isOpen(): boolean {
    return this.#isUp && this.#socket?.destroyed === false
  }

  /** Address that its socket is connected to; undefined without one. */
  get remoteAddress(): string | undefined {
    return this.isOpen ? this.#socket?.remoteAddress : undefined
  }

  /** Sends a request. Call only when none is under way. */
  send(request: OutgoingRequest, events: ResponseEvents): void {
    if (this.#isResting) this.#next = { request, events }
    else this.#go(request, events)
  }

  #go(request: OutgoingRequest, events: ResponseEvents): void {
    this.#request = request
    this.#events = events
    this.#isSent = false
    this.#hasHead = false
    if (this.isOpen) this.#begin(undefined)
    else this.#connect()
  }

  #connect(): void {
    const since = this.#clock.now()
    this.#isUp = false
    this.#isUsed = false
    this.#error = undefined
    this.#writeError = undefined
    const socket = this.#owner.connect(() => {
      if (socket !== this.#socket) return void socket.destroy()
      this.#isUp = true
      this.#guard(() => {
        this.connectMs = this.#clock.now() - since
        this.#begin(this.connectMs)
      })
    })
    this.#socket = socket
    this.#reader = new ResponseReader(
      {
        interim: (head) => this.#events?.interim(head),
        head: (head) => this.#head(head),
        data: (chunk) => this.#events?.data(this.#isOwn ? chunk : Buffer.from(chunk)),
        end: (trailers) => this.#end(trailers),
        fault: (fault) => this.#fault(fault),
      },
      this.#owner.limits(),
    )
    const reader = this.#reader
    readPastWriteErrors(socket, (error) => {
      if (socket === this.#socket) this.#writeError ??= error
    })
    const onData = (chunk: Buffer, isOwn: boolean) => {
      this.#chunk = chunk
      this.#isOwn = isOwn
      this.#guard(() => reader.feed(chunk))
      this.#chunk = undefined
    }
    const onEnd = () => this.#guard(() => this.#ended(socket, reader))
    const onDrain = () => this.#guard(() => this.#feed?.resume())
    const onClose = () => this.#guard(() => this.#closed(socket))
    const stopReading = readShared(socket, onData)
    socket.on('end', onEnd).on('drain', onDrain).on('close', onClose)
    socket.on('error', (error) => {
      if (socket === this.#socket) this.#error = error
    })
    this.#release = () => {
      stopReading()
      socket.off('end', onEnd).off('drain', onDrain).off('close', onClose)
    }
  }

  #begin(connectMs: number | undefined): void {
    const socket = this.#socket
    const request = this.#request
    const events = this.#events
    if (socket === undefined || request === undefined || events === undefined) return
    events.started(connectMs)
    if (events !== this.#events) return
    this.#isUsed = true
    this.#reader?.expect(request.method)
    const { upgrade, body } = request
    const needsLength = body === undefined && LENGTH_EXPECTED.has(request.method)
    const headers = upgrade === undefined ? request.headers : [...request.headers, 'upgrade', upgrade]
    const connection = upgrade === undefined ? '' : 'connection: upgrade\r\n'
    const hasLength = firstField(headers, 'content-length') !== undefined
    this.#isChunked = body !== undefined && !hasLength
    const framing = this.#isChunked ? CHUNKED_LINE : needsLength && !hasLength ? 'content-length: 0\r\n' : ''
    const head = requestHeadText(request, headers, connection + framing)
    if (body === undefined) {
      socket.write(head, 'latin1')
      return this.#requestSent(events)
    }
    socket.cork()
    socket.write(head, 'latin1')
    this.#sendBody(body, socket, events)
    socket.uncork()
  }

  #sendBody(body: OutgoingBody, socket: Socket, events: ResponseEvents): void {
    const isOurs = () => events === this.#events
    const feed = body.open({
      data: (chunk) => {
        if (!isOurs() || socket.destroyed) return false
        if (this.#isChunked) socket.write(chunkHead(chunk.length), 'latin1')
        socket.write(chunk)
        if (this.#isChunked) socket.write(CHUNK_END, 'latin1')
        events.bodySent()
        return !socket.writableNeedDrain
      },
      end: () => {
        if (!isOurs() || socket.destroyed) return
        if (this.#isChunked) socket.write(LAST_CHUNK, 'latin1')
        this.#requestSent(events)
      },
      fail: (error) => {
        if (isOurs()) this.#fail(withCode('the request body broke off', BODY_BROKE, error))
      },
    })
    if (isOurs() && !this.#isSent) this.#feed = feed
  }

  #requestSent(events: ResponseEvents): void {
    this.#isSent = true
    this.#feed = undefined
    events.requestSent()
  }

  #head(head: ResponseHead): void {
    const events = this.#events
    if (events === undefined) return
    this.#hasHead = true
    if (head.status === 101) return this.#switch(head, events)
    this.#isReusable = head.keepAlive
    this.#keepAliveMs = head.keepAliveTimeoutS === undefined ? undefined : head.keepAliveTimeoutS * 1000
    events.head(head)
  }

  #switch(head: ResponseHead, events: ResponseEvents): void {
    const [socket, reader] = [this.#socket, this.#reader]
    if (socket === undefined || reader === undefined) return
    if (this.#request?.upgrade === undefined || head.upgrade === '')
      return this.#fault(new MessageFault('malformed', 'a 101 to a request that asked for no other protocol'))
    const rest = reader.takeRest()
    this.#forget()
    this.#endRequest()
    this.#release()
    socket.pause()
    if (rest.length > 0) socket.unshift(rest)
    this.#owner.onFree(this, undefined)
    events.switched(head, socket)
  }

  #end(trailers: RawHeaders): void {
    const events = this.#events
    const socket = this.#socket
    if (events === undefined || socket === undefined) return
    const goesOn = this.#isReusable && this.#isSent && this.#writeError === undefined && !socket.readableEnded
    this.#endRequest()
    if (goesOn) this.#rest()
    else this.#drop()
    this.#owner.onFree(this, goesOn ? this.#keepAliveMs : undefined)
    events.end(trailers)
  }

  #rest(): void {
    this.#isResting = true
    if (this.#socket?.isPaused()) this.#socket.resume()
    setImmediate(this.#onTurn)
  }

  /** The first immediate comes before the system is asked for I/O again: a request that waits by then waits for the second one. */
  readonly #onTurn = () => {
    if (this.#next === undefined) this.#onRested()
    else setImmediate(this.#onRested)
  }

  readonly #onRested = () => {
    this.#isResting = false
    const next = this.#next
    this.#next = undefined
    if (next !== undefined) this.#guard(() => this.#go(next.request, next.events))
    else if (!this.isOpen) this.#owner.onLost(this)
  }

  #ended(socket: Socket, reader: ResponseReader): void {
    if (socket !== this.#socket) return
    reader.ended(true)
    // The other side has said all that it will say.
    if (socket === this.#socket) socket.destroy()
  }

  #closed(socket: Socket): void {
    if (socket !== this.#socket) return
    this.#forget()
    if (this.#events === undefined) {
      if (!this.#isResting) this.#owner.onLost(this)
      return
    }
    this.#fail(this.#lastError())
  }

  #lastError(): Error {
    const error = this.#error ?? this.#writeError
    const isSending = this.#isUsed && !this.#isSent && !this.#hasHead && this.#request?.body !== undefined
    if (error === undefined) return new Error('the other side closed the connection')
    return isSending ? withCode('reset while the request was sent', REFUSED_WHILE_SENDING, error) : error
  }

  #fault(fault: MessageFault): void {
    if (this.#events === undefined) return this.#drop()
    if (fault.kind === 'incomplete' && this.#error === undefined && this.#writeError !== undefined)
      return this.#fail(this.#lastError())
    if (this.#chunk !== undefined) this.#events.unreadable(fault, this.#chunk)
    this.#fail(fault)
  }

  #fail(error: Error | MessageFault): void {
    const events = this.#events
    this.abort()
    events?.failed(error)
  }

  /** Ends the request under way, on its connection alone. */
  #endRequest(): void {
    this.#feed?.stop()
    this.#feed = undefined
    this.#events = undefined
    this.#request = undefined
  }

  /** Forgets the socket, which is closed or belongs to somebody else. */
  #forget(): void {
    this.#socket = undefined
    this.#isUp = false
    this.#reader?.stop()
    this.#reader = undefined
  }

  #drop(): void {
    const socket = this.#socket
    this.#forget()
    socket?.destroy()
  }

  // ———— for whoever has the response

  pause(): void {
    this.#socket?.pause()
  }

  resume(): void {
    this.#socket?.resume()
  }

  /** Bytes of the request that the upstream has not taken. */
  untaken(): number {
    return this.#socket === undefined ? 0 : untakenBytes(this.#socket)
  }

  /** Gives the request up and closes the socket. Nothing is reported after it. */
  abort(): void {
    if (this.#next !== undefined) {
      this.#next = undefined
      return this.#owner.onFree(this, this.#keepAliveMs)
    }
    if (this.#events === undefined) return
    this.#endRequest()
    this.#drop()
    this.#owner.onFree(this, undefined)
  }

  /** Closes the socket. A request under way fails. */
  close(): void {
    this.#socket?.destroy()
  }

  #guard(run: () => void): void {
    try {
      run()
    } catch (error) {
      const events = this.#events
      this.abort()
      events?.lost(error)
    }
  }
}

/**
 * Keeps a socket readable after a failed write. An upstream that answers early and closes resets what is still being sent, and
 * node would drop the answer, which has arrived, with the socket.
 */
function readPastWriteErrors(socket: Socket, onError: (error: Error) => void): void {
  let hasFailed = false
  const passing = (done: (error?: Error | null) => void) => (error?: Error | null) => {
    if (error !== undefined && error !== null) {
      hasFailed = true
      onError(error)
    }
    done()
  }
  const write = socket._write.bind(socket)
  const writev = socket._writev?.bind(socket)
  socket._write = (chunk, encoding, done) => (hasFailed ? done() : write(chunk, encoding, passing(done)))
  if (writev !== undefined) socket._writev = (chunks, done) => (hasFailed ? done() : writev(chunks, passing(done)))
}
