import { connect as connectPlain, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { Timer } from '../../clock.ts'
import type { Deps } from '../../deps.ts'
import { ClientConnection, type ClientConnectionOwner } from '../../http1/client-connection.ts'
import { Names, type Resolve } from '../../net/dns-cache.ts'
import { serverNameOf, trusting } from '../../net/trust.ts'
import type { Transport } from '../../policy/exchange.ts'
import { UpstreamCall, type Wire } from './call.ts'

export type TransportSettings = {
  /** Scheme, host and port of the upstream. */
  readonly origin: URL
  /** Time in ms after which an idle connection is closed. Must be less than the upstream's keep-alive. */
  readonly idleMs: number
  /** Time between two DNS lookups of the upstream's name, in ms. */
  readonly resolveMs: number
  /** PEM text of certificate authorities to trust besides the default ones; '' for none. */
  readonly ca: string
  /** PEM text of the client certificate and its key; '' for none. */
  readonly cert: string
  readonly key: string
  /** Server name for SNI and the certificate; '' for the origin's host. */
  readonly servername: string
}

export type UpstreamConnections = {
  readonly send: Transport
  /** Open sockets, including idle ones. */
  readonly open: () => number
  /** Keeps no connection idle from here on. Calls under way go on and may be retried. */
  readonly retire: () => void
  /** Closes all connections. Calls under way fail. */
  readonly close: () => Promise<void>
}

const MAX_FIELDS = 1_000
/** Of requests alone. */
const MAX_TARGET_BYTES = 16 * 1024

/** Margin in ms below the `Keep-Alive: timeout=5` of an upstream, which may close a little early. */
const KEEP_ALIVE_MARGIN_MS = 1000

/** Time in ms by which idle connections are closed late, so that several are closed at once. */
const SWEEP_LATE_MS = 20

/**
 * HTTP/1.1 connections to one upstream.
 * @param resolve looks its name up. @param maxHead largest head of a response, in bytes; asked for each connection.
 */
export function connectTo(
  settings: TransportSettings,
  resolve: Resolve,
  maxHead: () => number,
  deps: Deps,
): UpstreamConnections {
  const names = new Names(resolve, settings.resolveMs, deps)
  const pool = new Pool(settings, names, maxHead, deps)
  const wire: Wire = {
    isTls: settings.origin.protocol === 'https:',
    host: settings.origin.host,
    send: (request, call, fresh) => {
      const connection = pool.take(fresh)
      connection.send(request, call)
      return connection
    },
  }
  return {
    send: (exchange, watch) => new UpstreamCall(exchange, watch, wire, deps),
    open: () => pool.open,
    retire: () => {
      names.close()
      pool.retire()
    },
    close: () => {
      names.close()
      return pool.close()
    },
  }
}

/** Connections to one upstream: one call at a time on each, the last used one first. */
class Pool {
  readonly #names: Names
  readonly #host: string
  readonly #idleMs: number
  readonly #deps: Deps
  readonly #owner: ClientConnectionOwner
  readonly #all = new Set<ClientConnection>()
  /** The last used one stands last. */
  readonly #free: Free[] = []
  readonly #sockets = new Set<Socket>()
  #sweep: Timer | undefined
  #sweepAt = Number.POSITIVE_INFINITY
  #isRetired = false
  #onClosed = () => {}

  constructor(settings: TransportSettings, names: Names, maxHead: () => number, deps: Deps) {
    this.#names = names
    this.#host = hostOf(settings.origin)
    this.#idleMs = settings.idleMs
    this.#deps = deps
    const open = opener(settings, names)
    this.#owner = {
      limits: () => ({ maxHeadBytes: maxHead(), maxFields: MAX_FIELDS, maxTargetBytes: MAX_TARGET_BYTES }),
      connect: (onConnected) => {
        const socket = open(onConnected)
        this.#sockets.add(socket)
        socket.once('close', () => {
          this.#sockets.delete(socket)
          if (this.#sockets.size === 0) this.#onClosed()
        })
        return socket
      },
      onFree: (connection, keepAliveMs) => this.#giveBack(connection, keepAliveMs),
      onLost: (connection) => this.#forget(connection),
    }
  }

  get open(): number {
    let open = 0
    for (const connection of this.#all) if (connection.isOpen) open += 1
    return open
  }

  /** @param fresh whether its socket must be new. */
  take(fresh: boolean): ClientConnection {
    const free = this.#free.pop()
    const connection = free?.connection ?? new ClientConnection(this.#owner, this.#deps.clock)
    this.#all.add(connection)
    const isOld = free !== undefined && free.endsAt <= this.#deps.clock.now()
    if (fresh || isOld || this.#isElsewhere(connection)) connection.close()
    return connection
  }

  /** Whether its socket leads to an address that is no longer one of the name's. */
  #isElsewhere({ remoteAddress }: ClientConnection): boolean {
    return remoteAddress !== undefined && isIP(this.#host) === 0 && !this.#names.holds(this.#host, remoteAddress)
  }

  #giveBack(connection: ClientConnection, keepAliveMs: number | undefined): void {
    if (this.#isRetired) {
      connection.close()
      return this.#forget(connection)
    }
    const hintMs = keepAliveMs === undefined ? this.#idleMs : keepAliveMs - KEEP_ALIVE_MARGIN_MS
    const endsAt = this.#deps.clock.now() + Math.min(this.#idleMs, Math.max(0, hintMs))
    this.#free.push({ connection, endsAt })
    this.#sweepBy(endsAt)
  }

  /** One timer for all idle connections: it is set anew only when one of them ends sooner. */
  #sweepBy(at: number): void {
    if (at >= this.#sweepAt) return
    const { clock } = this.#deps
    if (this.#sweep !== undefined) clock.cancel(this.#sweep)
    this.#sweepAt = at
    this.#sweep = clock.after(at - clock.now() + SWEEP_LATE_MS, () => this.#closeIdle())
  }

  #closeIdle(): void {
    this.#sweep = undefined
    this.#sweepAt = Number.POSITIVE_INFINITY
    const now = this.#deps.clock.now()
    let nextAt = Number.POSITIVE_INFINITY
    for (const one of [...this.#free]) {
      if (one.endsAt > now) nextAt = Math.min(nextAt, one.endsAt)
      else {
        one.connection.close()
        this.#forget(one.connection)
      }
    }
    if (nextAt < Number.POSITIVE_INFINITY) this.#sweepBy(nextAt)
  }

  #forget(connection: ClientConnection): void {
    this.#all.delete(connection)
    const at = this.#free.findLastIndex((one) => one.connection === connection)
    if (at >= 0) this.#free.splice(at, 1)
  }

  retire(): void {
    this.#isRetired = true
    for (const { connection } of [...this.#free]) {
      connection.close()
      this.#forget(connection)
    }
    if (this.#sweep !== undefined) this.#deps.clock.cancel(this.#sweep)
    this.#sweep = undefined
  }

  close(): Promise<void> {
    this.retire()
    return new Promise((resolve) => {
      if (this.#sockets.size === 0) return resolve()
      this.#onClosed = resolve
      for (const connection of this.#all) connection.close()
      for (const socket of this.#sockets) socket.destroy()
    })
  }
}

type Free = { readonly connection: ClientConnection; readonly endsAt: number }

/** The host without the brackets of an IPv6 address. */
const hostOf = ({ hostname }: URL) => hostname.replace(/^\[|\]$/g, '')

/** Opens sockets to the upstream. Each calls `onConnected` when it is connected, including TLS. */
function opener(settings: TransportSettings, names: Names): (onConnected: () => void) => Socket {
  const { origin, ca, cert, key, servername } = settings
  const { lookup } = names
  const host = hostOf(origin)
  const isTls = origin.protocol === 'https:'
  const port = Number(origin.port) || (isTls ? 443 : 80)
  const name = serverNameOf(origin, servername)
  let trust: ReturnType<typeof trusting> | undefined
  const encrypted = (onConnected: () => void) => {
    trust ??= trusting(ca, { cert, key })
    const tls = { host, port, lookup, secureContext: trust, ALPNProtocols: ['http/1.1'] }
    return connectTls(name === '' ? tls : { ...tls, servername: name }, onConnected)
  }
  return (onConnected) => {
    const socket = isTls ? encrypted(onConnected) : connectPlain({ host, port, lookup, noDelay: true }, onConnected)
    // Of a name with several addresses, one that takes no connection is tried last for a while.
    const avoid = (address: string) => names.avoid(host, address)
    return socket.on('connectionAttemptTimeout', avoid).on('connectionAttemptFailed', avoid)
  }
}
