import type { TLSSocket } from 'node:tls'
import { type buildConnector, Client } from 'undici'
import type { OutgoingRequest, ResponseEvents } from '../http1/client-connection.ts'
import { notProcessed, StreamCall } from './stream-call.ts'

export type Http2Settings = {
  /** Scheme, host and port of the upstream. */
  readonly origin: URL
  /** Time that the socket took to connect, in ms. */
  readonly connectMs: number
  /** Monotonic ms. */
  readonly now: () => number
}

/** What the owner of a connection decides. */
export type Http2Owner = {
  /** The upstream's SETTINGS have arrived: calls may be sent. */
  readonly onReady: () => void
  /** A stream may be opened again after all were taken. */
  readonly onRoom: () => void
  /** No call is under way any more. */
  readonly onIdle: () => void
}

/** Largest number of concurrent streams on one connection. The upstream may allow fewer. */
const MAX_STREAMS = 100

/** Interval of PING frames in ms: an upstream that is alive is heard from at least as often. */
const PING_MS = 10_000

/** Time in ms without a byte after which a call that is given up makes its connection suspect. */
const SILENCE_MS = 1000

/** Largest delay of a timer: the owner closes idle connections, by its own clock. */
const NEVER_MS = 2 ** 31 - 1

/**
 * A connection to an upstream over HTTP/2 (RFC 9113): one undici Client for one connected socket, which is never opened again.
 * Knows no policy and sets no timer.
 */
export class Http2Connection {
  readonly #socket: TLSSocket
  readonly #client: Client
  readonly #settings: Http2Settings
  readonly #owner: Http2Owner
  /** In the order in which they were sent. */
  readonly #calls = new Set<StreamCall>()
  /** undici's demand for another connection, while there is one. */
  #reconnect: buildConnector.Callback | undefined
  #hasRoom = true
  #isLeaving = false
  #isAnswered = true
  #bytesRead = 0
  #silentSince = 0

  constructor(socket: TLSSocket, settings: Http2Settings, owner: Http2Owner) {
    this.#socket = socket
    this.#settings = settings
    this.#owner = owner
    let isTaken = false
    this.#client = new Client(settings.origin, {
      allowH2: true,
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: NEVER_MS,
      keepAliveMaxTimeout: NEVER_MS,
      h2Options: { maxConcurrentStreams: MAX_STREAMS, pingInterval: PING_MS },
      connect: (_options, callback) => {
        queueMicrotask(() => (callback === this.#reconnect ? this.#refuseReconnect() : callback(null, socket)))
        if (isTaken) this.#reconnect = callback
        isTaken = true
      },
    })
    this.#client.on('drain', () => {
      if (this.#hasRoom) return
      this.#hasRoom = true
      this.#owner.onRoom()
    })
    this.#client.on('disconnect', () => this.#disconnected())
    socket.once('close', () => this.#closed())
    this.#awaitSettings()
  }

  /** Calls under way. */
  get calls(): number {
    return this.#calls.size
  }

  /** Whether it can take another call now. */
  get hasRoom(): boolean {
    return this.#hasRoom && !this.isLeaving
  }

  /** Whether it takes no further call. */
  get isLeaving(): boolean {
    return this.#isLeaving || this.#socket.destroyed
  }

  get remoteAddress(): string | undefined {
    return this.#socket.remoteAddress
  }

  /** Takes no further call. Those under way go on. */
  leave(): void {
    this.#isLeaving = true
    if (this.#calls.size === 0) this.close()
  }

  /** Closes the socket. Calls under way fail. */
  close(): void {
    this.#socket.destroy()
  }

  /**
   * Sends a request. Call only while there is room.
   * @param isNew whether the call waited for the connection.
   */
  send(request: OutgoingRequest, events: ResponseEvents, isNew: boolean): StreamCall {
    this.#look()
    if (this.#calls.size === 0 && this.#isAnswered) this.#silentSince = this.#settings.now()
    const call = new StreamCall(request, events, {
      connectMs: this.#settings.connectMs,
      isNew,
      isConnected: () => !this.#socket.destroyed,
      onHeard: () => {
        this.#isAnswered = true
      },
      onOver: (over, isAnswered) => this.#over(over, isAnswered),
    })
    this.#calls.add(call)
    this.#hasRoom = this.#client.dispatch(
      {
        method: request.method,
        path: request.target,
        headers: ['host', request.host, ...request.headers],
        body: call.body ?? null,
        // Without one undici would take it from Host, and connect again for each other Host.
        servername: this.#settings.origin.hostname,
      } as Parameters<Client['dispatch']>[0],
      call,
    )
    return call
  }

  /**
   * undici tells nobody that SETTINGS have arrived, but holds a CONNECT back until then. This one is given up as it starts: no
   * byte of it is sent.
   */
  #awaitSettings(): void {
    const ignore = () => {}
    this.#client.dispatch(
      { method: 'CONNECT', path: '/', servername: this.#settings.origin.hostname } as Parameters<Client['dispatch']>[0],
      {
        onRequestStart: (control) => {
          control.abort(new Error('SETTINGS have arrived'))
          if (!this.#socket.destroyed) queueMicrotask(() => this.#owner.onReady())
        },
        onRequestUpgrade: ignore,
        onResponseError: ignore,
      },
    )
  }

  /** A GOAWAY or the end of the socket. undici has put what the GOAWAY refuses behind the calls that go on. */
  #disconnected(): void {
    this.#isLeaving = true
    if (this.#socket.destroyed) return
    const { pending } = this.#client.stats
    const refused = pending === 0 ? [] : [...this.#calls].slice(-pending)
    for (const call of refused) call.fail(notProcessed())
    this.#closeIfUnused()
  }

  /** The socket is closed. undici may have lost a request that it wanted to send again. */
  #closed(): void {
    this.#isLeaving = true
    this.#reconnect = undefined
    setImmediate(() => {
      for (const call of [...this.#calls]) call.fail(new Error('the other side closed the connection'))
    })
  }

  #over(call: StreamCall, isAnswered: boolean): void {
    this.#calls.delete(call)
    if (isAnswered) this.#isAnswered = true
    else this.#suspect()
    if (this.#reconnect !== undefined) queueMicrotask(() => this.#refuseReconnect())
    if (this.#calls.size > 0) return
    if (this.#isLeaving) this.#closeIfUnused()
    else this.#owner.onIdle()
  }

  /**
   * What undici wants to send over another connection was not processed. Its error reaches the calls once undici has counted all
   * others as over.
   */
  #refuseReconnect(): void {
    const callback = this.#reconnect
    if (callback === undefined || this.#client.stats.running > 0) return
    this.#reconnect = undefined
    callback(notProcessed(), null)
  }

  #closeIfUnused(): void {
    // A turn later: a RST_STREAM is still to be written.
    setImmediate(() => {
      if (this.#calls.size === 0) this.close()
    })
  }

  #look(): void {
    const { bytesRead } = this.#socket
    if (bytesRead === this.#bytesRead) return
    this.#bytesRead = bytesRead
    this.#silentSince = this.#settings.now()
  }

  /** A connection that may be dead takes no further call: each of them would wait for its timeout. */
  #suspect(): void {
    this.#look()
    this.#isAnswered = false
    if (this.#settings.now() - this.#silentSince >= SILENCE_MS) this.#isLeaving = true
  }
}
