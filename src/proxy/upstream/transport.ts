import { isIP, type Socket } from 'node:net'
import { buildConnector, Client } from 'undici'
import type { Exchange, Transport } from '../../policy/exchange.ts'
import type { Deps } from '../../deps.ts'
import { guarded } from '../../guard.ts'
import { untakenBytes } from '../../net/send-queue.ts'
import { serverNameOf, trusting } from '../../net/trust.ts'
import { type Line, UpstreamCall } from './call.ts'
import { Names, type Resolve } from '../../net/dns-cache.ts'
import { InterimFilter } from './interim-filter.ts'
import { WireHandler } from './wire-handler.ts'

export type TransportSettings = {
  /** Scheme, host and port of the upstream. */
  readonly origin: URL
  /** Time in ms after which an idle connection is closed. Must be less than the upstream's keep-alive. */
  readonly idleMs: number
  /** Time between two DNS lookups of the upstream's name, in ms. */
  readonly resolveMs: number
  /** PEM text of certificate authorities to trust besides the default ones; '' for none. */
  readonly ca: string
  /** PEM text of the client certificate and its private key; both '' for none. */
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

/** Largest response head. Clients such as curl and httpx take heads of that size. */
const MAX_HEAD_BYTES = 64 * 1024

/** Margin in ms below the `Keep-Alive: timeout=5` of an upstream, which may close a little early. */
const KEEP_ALIVE_MARGIN_MS = 1000

type Connect = (options: buildConnector.Options, callback: buildConnector.Callback) => Socket

/**
 * HTTP/1.1 connections to one upstream: one call at a time on each, the last used one first. undici's timers, retries, queue
 * and limits are off: policies bound the calls, and each call in flight has its own connection.
 */
export function connectTo(settings: TransportSettings, resolve: Resolve, deps: Deps): UpstreamConnections {
  const names = new Names(resolve, settings.resolveMs, deps)
  let connector: Connect | undefined
  const connect: Connect = (options, callback) => {
    connector ??= connectorOf(settings, names)
    return connector(options, callback)
  }
  const all = new Set<Connection>()
  const free: Connection[] = []
  let isRetired = false
  const discard = (connection: Connection) => {
    all.delete(connection)
    connection.end().catch((error: unknown) => deps.emit({ kind: 'fault', error, where: 'connect' }))
  }
  const opened = () => {
    const connection = new Connection(settings, connect, deps, () => {
      if (isRetired) discard(connection)
      else free.push(connection)
    })
    all.add(connection)
    return connection
  }
  const take = (fresh: boolean) => {
    const connection = free.pop() ?? opened()
    if (fresh || connection.isElsewhere(names)) connection.drop()
    return connection
  }
  return {
    send: (exchange, watch) => {
      return new UpstreamCall(exchange, watch, take, deps)
    },
    open: () => {
      let open = 0
      for (const connection of all) if (connection.isOpen) open += 1
      return open
    },
    retire: () => {
      isRetired = true
      names.close()
      for (const connection of free.splice(0)) discard(connection)
    },
    close: async () => {
      names.close()
      await Promise.all([...all].map((connection) => connection.close()))
    },
  }
}

function connectorOf({ origin, ca, cert, key }: TransportSettings, { lookup }: Names): Connect {
  const trust = origin.protocol === 'https:' ? { secureContext: trusting(ca, { cert, key }) } : {}
  // undici's connector returns the socket that it opens, although its type does not say so.
  return buildConnector({ ...trust, lookup, timeout: 0, allowH2: false }) as unknown as Connect
}

/** At most one socket to the upstream: opened when a call needs it, and again after it was lost. */
class Connection implements Line {
  readonly isTls: boolean
  readonly giveBack: () => void
  readonly #client: Client
  readonly #servername: string
  readonly #host: string
  #socket: Socket | undefined
  #interim: InterimFilter | undefined
  #isUp = false
  isReset = false
  connectMs = 0
  served = 0

  constructor(settings: TransportSettings, connect: Connect, { clock, emit }: Deps, giveBack: () => void) {
    const { origin, idleMs, servername } = settings
    this.giveBack = giveBack
    this.isTls = origin.protocol === 'https:'
    this.#host = origin.hostname
    this.#servername = serverNameOf(origin, servername)
    this.#client = new Client(origin, {
      pipelining: 1,
      headersTimeout: 0,
      bodyTimeout: 0,
      maxHeaderSize: MAX_HEAD_BYTES,
      keepAliveTimeout: idleMs,
      keepAliveMaxTimeout: idleMs,
      keepAliveTimeoutThreshold: KEEP_ALIVE_MARGIN_MS,
      allowH2: false,
      connect: (options, callback) => {
        const since = clock.now()
        this.served = 0
        this.#isUp = false
        this.isReset = false
        const lose = (error: unknown) => {
          emit({ kind: 'fault', error, where: 'connect' })
          this.#socket?.destroy()
        }
        this.#socket = connect({ ...options, servername: this.#servername }, (...outcome) => {
          this.#isUp = outcome[0] === null
          guarded(() => {
            this.connectMs = clock.now() - since
          }, lose)()
          guarded(() => callback(...outcome), lose)()
        })
        const socket = this.#socket
        this.#interim = new InterimFilter(socket)
        socket.on('error', () => {
          if (socket === this.#socket) this.isReset = true
        })
      },
    })
  }

  get isOpen(): boolean {
    return this.#isUp && this.#socket?.destroyed === false
  }

  /** Whether its socket leads to an address that is no longer one of the name's. */
  isElsewhere(names: Names): boolean {
    const address = this.isOpen ? this.#socket?.remoteAddress : undefined
    return address !== undefined && isIP(this.#host) === 0 && !names.holds(this.#host, address)
  }

  dispatch(exchange: Exchange, call: UpstreamCall): void {
    this.#interim?.begin()
    this.#client.dispatch(
      {
        method: exchange.method,
        path: exchange.target,
        headers: exchange.headers,
        body: exchange.body?.open() ?? null,
        upgrade: exchange.upgrade ?? null,
        // Never '': undici would take the name from the Host field, and connect anew for each Host.
        ...{ servername: this.#servername || 'none' },
      },
      new WireHandler(call),
    )
  }

  untaken(): number {
    return this.#socket === undefined ? 0 : untakenBytes(this.#socket)
  }

  drop(): void {
    if (this.isOpen) this.#socket?.destroy()
    else this.#socket?.destroy(new Error('connecting was given up'))
  }

  yieldSocket(): void {
    this.#socket = undefined
    this.#isUp = false
  }

  /** Closes its socket after the call under way. */
  end(): Promise<void> {
    return this.#client.close()
  }

  close(): Promise<void> {
    return this.#client.destroy()
  }
}
