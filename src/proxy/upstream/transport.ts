import type { Socket } from 'node:net'
import type { Deps } from '../../deps.ts'
import {
  ClientConnection,
  type ClientConnectionOwner,
  type OutgoingRequest,
  type ResponseEvents,
} from '../../http1/client-connection.ts'
import { FIXED_LIMITS } from '../../http1/head.ts'
import { Names, type Resolve } from '../../net/dns-cache.ts'
import type { Transport } from '../../policy/exchange.ts'
import { type Line, type Reuse, UpstreamCall, type Wire } from './call.ts'
import { Http2Wire } from './http2-wire.ts'
import { IdleTimer } from './idle-timer.ts'
import { KeptFor } from './kept-for.ts'
import { hostOf, opener, Sockets, type TransportSettings } from './open-socket.ts'

export type { TransportSettings } from './open-socket.ts'

export type UpstreamConnections = {
  readonly send: Transport
  /** Open sockets, including idle ones. */
  readonly open: () => number
  /** Keeps no connection idle from here on. Calls under way go on and may be retried. */
  readonly retire: () => void
  /** Closes all connections. Calls under way fail. */
  readonly close: () => Promise<void>
}

/** Margin in ms below the `Keep-Alive: timeout=5` of an upstream, which may close a little early. */
const KEEP_ALIVE_MARGIN_MS = 1000

/**
 * Connections to one upstream.
 * @param resolve looks its name up. @param maxHead largest head of a response, in bytes; asked for each connection.
 */
export function connectTo(
  settings: TransportSettings,
  resolve: Resolve,
  maxHead: () => number,
  deps: Deps,
): UpstreamConnections {
  const names = new Names(resolve, settings.resolveMs, deps)
  const sockets = new Sockets()
  const pool = new Pool(settings, names, sockets, maxHead, deps)
  const isTls = settings.origin.protocol === 'https:'
  const http2 = settings.http2 && isTls ? new Http2Wire(settings, names, pool, sockets, deps) : undefined
  const wire: Wire = {
    isTls,
    host: settings.origin.host,
    send: (request, call, reuse) => (http2 ?? pool).send(request, call, reuse),
    wasClosed: (line) => pool.wasClosed(line),
    preferHttp1: () => http2?.preferHttp1(),
  }
  return {
    send: (exchange, watch) => new UpstreamCall(exchange, watch, wire, deps),
    open: () => pool.open + (http2?.open ?? 0),
    retire: () => {
      names.close()
      pool.retire()
      http2?.retire()
    },
    close: () => {
      names.close()
      pool.retire()
      http2?.retire()
      return sockets.close()
    },
  }
}

/** HTTP/1.1 connections to one upstream: one call at a time on each, the last used one first. */
class Pool {
  readonly #names: Names
  readonly #host: string
  readonly #idleMs: number
  readonly #deps: Deps
  readonly #owner: ClientConnectionOwner
  readonly #idleTimer: IdleTimer
  readonly #keptFor = new KeptFor()
  readonly #all = new Set<ClientConnection>()
  /** The last used one stands last. */
  readonly #free: Free[] = []
  /** Connected already, for the connection that is to be opened next. */
  #given: Socket | undefined
  #isRetired = false

  constructor(settings: TransportSettings, names: Names, sockets: Sockets, maxHead: () => number, deps: Deps) {
    this.#names = names
    this.#host = hostOf(settings.origin)
    this.#idleMs = settings.idleMs
    this.#deps = deps
    this.#idleTimer = new IdleTimer(deps.clock, (now) => this.#closeIdle(now))
    const open = opener(settings, names, ['http/1.1'])
    this.#owner = {
      limits: () => ({ ...FIXED_LIMITS, maxHeadBytes: maxHead() }),
      connect: (onConnected) => {
        const given = this.#given
        this.#given = undefined
        if (given !== undefined) {
          process.nextTick(onConnected)
          return given
        }
        const socket = open(onConnected)
        sockets.add(socket)
        return socket
      },
      onFree: (connection, keepAliveMs) => this.#giveBack(connection, keepAliveMs),
      onLost: (connection) => {
        const free = this.#forget(connection)
        if (free !== undefined) this.#closedIdle(free)
      },
    }
  }

  get open(): number {
    let open = 0
    for (const connection of this.#all) if (connection.isOpen) open += 1
    return open
  }

  send(request: OutgoingRequest, call: ResponseEvents, reuse: Reuse): Line {
    const connection = this.#take(reuse)
    connection.send(request, call)
    return connection
  }

  /** Sends over a socket that is connected already, and keeps it. */
  sendOver(socket: Socket, request: OutgoingRequest, call: ResponseEvents): Line {
    const connection = new ClientConnection(this.#owner, this.#deps.clock)
    this.#all.add(connection)
    this.#given = socket
    connection.send(request, call)
    return connection
  }

  #take(reuse: Reuse): ClientConnection {
    const free = this.#free.pop()
    const connection = free?.connection ?? new ClientConnection(this.#owner, this.#deps.clock)
    this.#all.add(connection)
    const isKept = free !== undefined && reuse !== 'none' && this.#isGood(free, reuse)
    if (isKept && this.#names.holds(this.#host, connection.remoteAddress)) return connection
    connection.idledMs = 0
    connection.close()
    return connection
  }

  #isGood({ connection, since, endsAt }: Free, reuse: Reuse): boolean {
    const now = this.#deps.clock.now()
    connection.idledMs = now - since
    return endsAt > now && !(reuse === 'sound' && this.#keptFor.isDoubtful(connection.idledMs, now))
  }

  /** The upstream had closed the connection of that line when its request came. */
  wasClosed(line: Line): void {
    if (line instanceof ClientConnection) this.#keptFor.closedAfter(line.idledMs, this.#deps.clock.now())
  }

  #giveBack(connection: ClientConnection, keepAliveMs: number | undefined): void {
    if (this.#isRetired) {
      connection.close()
      this.#forget(connection)
      return
    }
    const hintMs = keepAliveMs === undefined ? this.#idleMs : keepAliveMs - KEEP_ALIVE_MARGIN_MS
    const since = this.#deps.clock.now()
    const endsAt = since + Math.min(this.#idleMs, Math.max(0, hintMs))
    if (connection.isOpen) this.#keptFor.answeredAfter(connection.idledMs)
    this.#free.push({ connection, since, endsAt })
    this.#idleTimer.by(endsAt)
  }

  /** @returns monotonic ms at which the next one is due; Infinity for none. */
  #closeIdle(now: number): number {
    let nextAt = Number.POSITIVE_INFINITY
    for (const { connection, endsAt } of [...this.#free]) {
      if (endsAt > now) nextAt = Math.min(nextAt, endsAt)
      else {
        connection.close()
        this.#forget(connection)
      }
    }
    return nextAt
  }

  #closedIdle({ since }: Free): void {
    const now = this.#deps.clock.now()
    this.#keptFor.closedAfter(now - since, now)
  }

  /** @returns undefined when it was not idle. */
  #forget(connection: ClientConnection): Free | undefined {
    this.#all.delete(connection)
    const at = this.#free.findLastIndex((one) => one.connection === connection)
    return at < 0 ? undefined : this.#free.splice(at, 1)[0]
  }

  retire(): void {
    this.#isRetired = true
    for (const { connection } of [...this.#free]) {
      connection.close()
      this.#forget(connection)
    }
    this.#idleTimer.stop()
  }
}

/** @property since monotonic ms from which it is idle. @property endsAt monotonic ms at which it is closed. */
type Free = { readonly connection: ClientConnection; readonly since: number; readonly endsAt: number }
