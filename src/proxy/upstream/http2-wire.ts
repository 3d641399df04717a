import type { TLSSocket } from 'node:tls'
import type { Deps } from '../../deps.ts'
import type { OutgoingRequest, ResponseEvents } from '../../http1/client-connection.ts'
import type { Http2Connection } from '../../http2/connection.ts'
import type { Names } from '../../net/dns-cache.ts'
import type { Line, Reuse } from './call.ts'
import { IdleTimer } from './idle-timer.ts'
import { hostOf, opener, type Sockets, type TransportSettings } from './open-socket.ts'

/** HTTP/1.1 connections to the same upstream. */
export type Http1 = {
  readonly send: (request: OutgoingRequest, call: ResponseEvents, reuse: Reuse) => Line
  /** Sends over a socket that is connected already, and keeps it. */
  readonly sendOver: (socket: TLSSocket, request: OutgoingRequest, call: ResponseEvents) => Line
}

/** Time in ms for which an upstream that chose HTTP/1.1 is not offered HTTP/2. */
const HTTP1_FOR_MS = 60_000

/** A socket on its way up. `error` is its newest. */
type Attempt = { readonly socket: TLSSocket; readonly since: number; error: Error | undefined }

/**
 * Sends calls over HTTP/2 where the upstream offers it by ALPN, else over HTTP/1.1. Calls share a connection as long as it has
 * room; one connects at a time, and calls without room wait for it.
 */
export class Http2Wire {
  readonly #settings: TransportSettings
  readonly #names: Names
  readonly #http1: Http1
  readonly #sockets: Sockets
  readonly #deps: Deps
  readonly #open: ReturnType<typeof opener>
  readonly #idleTimer: IdleTimer
  /** undici takes 100 ms to load: it is read before the first call. */
  readonly #code = import('../../http2/connection.ts')
  readonly #connections = new Set<Http2Connection>()
  /** Since when connections have had no call, in monotonic ms. */
  readonly #idleSince = new Map<Http2Connection, number>()
  /** The connection of each call's last sending: a call that was refused there is not sent there again. */
  readonly #sentOver = new WeakMap<ResponseEvents, Http2Connection>()
  readonly #waiting = new Set<WaitingLine>()
  #attempt: Attempt | undefined
  #http1Until = Number.NEGATIVE_INFINITY
  #isRetired = false

  constructor(settings: TransportSettings, names: Names, http1: Http1, sockets: Sockets, deps: Deps) {
    this.#settings = settings
    this.#names = names
    this.#http1 = http1
    this.#sockets = sockets
    this.#deps = deps
    this.#idleTimer = new IdleTimer(deps.clock, (now) => this.#closeIdle(now))
    this.#open = opener(settings, names, ['h2', 'http/1.1'])
    // The call that needs it reports the error.
    this.#code.catch(() => {})
  }

  /** Open connections. */
  get open(): number {
    return this.#connections.size
  }

  /** @param reuse counts where the call goes over HTTP/1.1. */
  send(request: OutgoingRequest, call: ResponseEvents, reuse: Reuse): Line {
    // undici upgrades a stream to websocket only (RFC 8441), and takes no target but a path.
    const isForHttp1 = request.upgrade !== undefined || !request.target.startsWith('/')
    if (isForHttp1 || this.#deps.clock.now() < this.#http1Until) return this.#http1.send(request, call, reuse)
    const connection = this.#withRoom(call)
    if (connection !== undefined) return this.#sendOver(connection, request, call, false)
    const waiting = new WaitingLine(request, call, (line) => this.#giveUp(line))
    this.#waiting.add(waiting)
    this.#connect()
    return waiting
  }

  /** The upstream asked for HTTP/1.1, by an answer to a stream. */
  preferHttp1(): void {
    this.#http1Until = this.#deps.clock.now() + HTTP1_FOR_MS
  }

  retire(): void {
    this.#isRetired = true
    for (const connection of this.#connections) if (connection.calls === 0) connection.leave()
    this.#idleTimer.stop()
  }

  #withRoom(call: ResponseEvents): Http2Connection | undefined {
    for (const connection of this.#connections) {
      if (!this.#names.holds(hostOf(this.#settings.origin), connection.remoteAddress)) connection.leave()
      else if (connection.hasRoom && this.#sentOver.get(call) !== connection) return connection
    }
    return undefined
  }

  #sendOver(connection: Http2Connection, request: OutgoingRequest, call: ResponseEvents, isNew: boolean): Line {
    this.#idleSince.delete(connection)
    this.#sentOver.set(call, connection)
    return connection.send(request, call, isNew)
  }

  #connect(): void {
    if (this.#attempt !== undefined) return
    const since = this.#deps.clock.now()
    const socket = this.#open(() => {
      if (attempt === this.#attempt) this.#connected(attempt)
    }) as TLSSocket
    const attempt: Attempt = { socket, since, error: undefined }
    this.#attempt = attempt
    this.#sockets.add(socket)
    socket.on('error', (error) => {
      attempt.error = error
    })
    socket.once('close', () => {
      if (attempt === this.#attempt) this.#failed(attempt.error ?? new Error('the other side closed the connection'))
    })
  }

  #connected(attempt: Attempt): void {
    if (attempt.socket.alpnProtocol !== 'h2') return this.#settleOnHttp1(attempt)
    this.#code.then(
      ({ Http2Connection }) => {
        if (attempt === this.#attempt) this.#begin(attempt, Http2Connection)
      },
      (error: Error) => {
        attempt.error = error
        attempt.socket.destroy()
      },
    )
  }

  #begin(attempt: Attempt, Connection: typeof Http2Connection): void {
    const { clock } = this.#deps
    const { socket, since } = attempt
    const connection = new Connection(
      socket,
      { origin: this.#settings.origin, connectMs: clock.now() - since, now: () => clock.now() },
      {
        onReady: () => {
          if (attempt !== this.#attempt) return
          this.#attempt = undefined
          this.#connections.add(connection)
          socket.once('close', () => this.#forget(connection))
          this.#sendWaiting(connection)
          if (connection.calls === 0) this.#idle(connection)
        },
        onRoom: () => this.#sendWaiting(undefined),
        onIdle: () => this.#idle(connection),
      },
    )
  }

  #forget(connection: Http2Connection): void {
    this.#connections.delete(connection)
    this.#idleSince.delete(connection)
  }

  /** @param fresh the connection that waiting calls caused to be opened. */
  #sendWaiting(fresh: Http2Connection | undefined): void {
    for (const waiting of [...this.#waiting]) {
      const connection = this.#withRoom(waiting.call)
      if (connection === undefined) continue
      this.#waiting.delete(waiting)
      waiting.line = this.#sendOver(connection, waiting.request, waiting.call, connection === fresh)
    }
    if (this.#waiting.size > 0) this.#connect()
  }

  #settleOnHttp1({ socket }: Attempt): void {
    this.preferHttp1()
    this.#attempt = undefined
    const all = [...this.#waiting]
    this.#waiting.clear()
    if (all.length === 0) socket.destroy()
    for (const [i, waiting] of all.entries()) {
      const { request, call } = waiting
      waiting.line = i === 0 ? this.#http1.sendOver(socket, request, call) : this.#http1.send(request, call, 'any')
    }
  }

  #failed(error: Error): void {
    this.#attempt = undefined
    const all = [...this.#waiting]
    this.#waiting.clear()
    for (const { call } of all) call.failed(error)
  }

  /** A connect that outlasts the patience of a call is given up with it: the other calls get a new one. */
  #giveUp(waiting: WaitingLine): void {
    if (!this.#waiting.delete(waiting)) return
    this.#attempt?.socket.destroy()
    this.#attempt = undefined
    if (this.#waiting.size > 0) this.#connect()
  }

  #idle(connection: Http2Connection): void {
    if (this.#isRetired) return connection.leave()
    const now = this.#deps.clock.now()
    this.#idleSince.set(connection, now)
    this.#idleTimer.by(now + this.#settings.idleMs)
  }

  /** @returns monotonic ms at which the next one is due; Infinity for none. */
  #closeIdle(now: number): number {
    let nextAt = Number.POSITIVE_INFINITY
    for (const [connection, since] of this.#idleSince) {
      const endsAt = since + this.#settings.idleMs
      if (endsAt > now) nextAt = Math.min(nextAt, endsAt)
      else connection.leave()
    }
    return nextAt
  }
}

/** A call that waits for a connection, and then is on its way there. */
class WaitingLine implements Line {
  readonly request: OutgoingRequest
  readonly call: ResponseEvents
  readonly #onGivenUp: (line: WaitingLine) => void
  line: Line | undefined

  constructor(request: OutgoingRequest, call: ResponseEvents, onGivenUp: (line: WaitingLine) => void) {
    this.request = request
    this.call = call
    this.#onGivenUp = onGivenUp
  }

  get connectMs(): number {
    return this.line?.connectMs ?? 0
  }

  pause(): void {
    this.line?.pause()
  }

  resume(): void {
    this.line?.resume()
  }

  untaken(): number {
    return this.line?.untaken() ?? 0
  }

  abort(): void {
    if (this.line === undefined) this.#onGivenUp(this)
    else this.line.abort()
  }
}
