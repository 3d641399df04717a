import { createServer, IncomingMessage, ServerResponse } from 'node:http'
import { Server as NetServer, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { type FaultCode, ProxyError } from '../../errors.ts'
import { guarded } from '../../guard.ts'
import { type Address, listenOn } from '../../net/listen.ts'
import type { LocalLimit } from '../../events.ts'
import { ClientConnection } from './client-connection.ts'
import { answerProblem } from '../problem.ts'
import { cut as cutResponse } from '../relay.ts'
import { routeFor, type Upstream } from '../route.ts'
import { originForm, pathOf, splitPrefix } from './target.ts'
import { answerOn, askedProtocol } from './upgrade.ts'
import { type Asked, type Destination, Visit, type VisitDeps } from './visit.ts'

/** A listener's address, and how it finds the upstream of a request. */
export type Door = {
  /** Key of the configuration, for errors. */
  readonly key: string
  readonly address: Address
  /** @throws ProxyError `unknown_upstream` */
  readonly find: (target: string) => Destination
}

export type Listener = {
  readonly address: Address
  /** Sockets of clients, idle ones included. */
  readonly connections: () => number
  /** Requests whose response is not over. */
  readonly inFlight: () => number
  /** Changes how later requests find their upstream. */
  readonly lead: (find: Door['find']) => void
  /**
   * Accepts no more connections and ends each one after its next response, so that a client that has just sent a request gets
   * its answer. Calls back when the last one is closed.
   */
  readonly retire: (onClosed: () => void) => void
  /** Accepts no more connections, closes idle ones, and resolves when the last request has ended. */
  readonly finish: () => Promise<void>
  /** Ends the requests under way: with 503 `shutdown` when no answer has begun, otherwise by a cut. */
  readonly cut: () => void
  /** Closes all connections with their requests. Resolves when the last one is closed. */
  readonly close: () => Promise<void>
}

/** Keep-alive of idle client connections. Longer than clients' pools keep theirs: httpx 5 s, most others 60 s at most. */
const KEEP_ALIVE_MS = 65_000
/** Longest time to receive a request's head, in ms. */
const HEAD_TIMEOUT_MS = 60_000

/** Finds the upstream by the first path segment, which is removed (shared listener). */
export const byPrefix =
  (upstreams: () => ReadonlyMap<string, Upstream>) =>
  (target: string): Destination => {
    const { prefix, rest } = splitPrefix(target)
    const upstream = upstreams().get(prefix)
    if (upstream === undefined) throw new ProxyError('unknown_upstream', 'the first path segment names no upstream')
    return { upstream, target: rest, prefix: `/${prefix}` }
  }

/** Always the same upstream, with the whole target (an upstream's own listener). */
export const byListener =
  (name: string, upstreams: () => ReadonlyMap<string, Upstream>) =>
  (target: string): Destination => {
    const upstream = upstreams().get(name)
    if (upstream === undefined) throw new ProxyError('unknown_upstream', `upstream ${name} is no longer configured`)
    return { upstream, target, prefix: '' }
  }

const NONE: ReadonlySet<string> = new Set()

/** Largest number of connections over a limit that may wait for their refusal, and how long, in ms. Further ones are reset. */
const MAX_OVER_LIMIT = 16
const OVER_LIMIT_MS = 5_000

/** Largest number of requests under way on one connection. No client that pipelines needs more. */
const MAX_PIPELINED = 1_000

const DETAILS: Readonly<Record<Exclude<LocalLimit, 'pipeline'>, string>> = {
  maxConnections: 'the listener has as many connections as maxConnections allows',
  descriptors: 'the process has no descriptor left for a further connection',
}

/** Protocols that the route of a request may switch to; none without a route, which the Visit then answers. */
function upgradesFor({ method = '', url = '' }: IncomingMessage, find: Door['find']): ReadonlySet<string> {
  try {
    const { upstream, target } = find(originForm(url))
    return routeFor(upstream, method, pathOf(target)).upgrades
  } catch (error) {
    if (error instanceof ProxyError) return NONE
    throw error
  }
}

/** The client closed its direction in the middle of a message. */
const CUT_SHORT = 'HPE_INVALID_EOF_STATE'

/** Reason for a request that node refuses to read; undefined for an error of the connection, which cannot be answered. */
function refusalOf({ code = '' }: { readonly code?: string }): FaultCode | undefined {
  if (code === 'HPE_HEADER_OVERFLOW' || code === 'HPE_CHUNK_EXTENSIONS_OVERFLOW') return 'head_too_large'
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return 'client_stalled'
  return code.startsWith('HPE_') ? 'bad_request' : undefined
}

/** Answers what never becomes a Visit. */
function refuseAtOnce(response: ServerResponse, code: FaultCode): void {
  if (response.headersSent) return cutResponse(response)
  answerProblem(response, new ProxyError(code), { upstream: undefined, attempts: 0, close: true })
}

/** @throws Error naming the key when it cannot listen there. */
// biome-ignore lint/complexity/noExcessiveLinesPerFunction: short closures over the state of one listener, one for each event of the server.
export async function listen(door: Door, deps: Omit<VisitDeps, 'onOver'>): Promise<Listener> {
  let { find } = door
  let isRetired = false
  let inFlight = 0
  /** Connections over a limit that wait for their first request. */
  let overLimits = 0
  let onIdle = () => {}
  const connections = new Map<Socket, ClientConnection>()
  const connectionOf = (socket: Socket) => {
    const known = connections.get(socket)
    if (known === undefined) throw new Error('a request on a connection that is closed')
    return known
  }
  const visitDeps: VisitDeps = {
    ...deps,
    isDraining: () => isRetired || deps.isDraining(),
    onOver: () => {
      inFlight -= 1
      if (inFlight === 0) onIdle()
    },
  }
  const begin = (asked: Asked) => {
    const visit = new Visit(asked, visitDeps)
    inFlight += 1
    return visit
  }
  /** Refuses the first request of a connection over a limit, so that the client can read why. */
  const refusedFor = (visit: Visit, { overLimit }: ClientConnection): boolean => {
    if (overLimit !== undefined) visit.spoil('local_limit', DETAILS[overLimit])
    return overLimit !== undefined
  }
  const tell = (error: unknown) => deps.emit({ kind: 'fault', error, where: 'listener' })
  /** Guards an entry point: an error costs the connection or request that it was called for. */
  const guard = <A extends unknown[]>(run: (...args: A) => void, lose: (...args: A) => void) =>
    guarded(run, (error, ...args: A) => {
      tell(error)
      lose(...args)
    })
  const serve = (awaitsContinue: boolean) =>
    guard(
      (request: IncomingMessage, response: ServerResponse) => {
        const connection = connectionOf(request.socket)
        if (connection.size >= MAX_PIPELINED) {
          deps.emit({ kind: 'turned_away', listener: door.key, limit: 'pipeline' })
          return void request.socket.destroy()
        }
        const visit = begin({ request, response, connection, awaitsContinue, upgrade: undefined })
        if (!refusedFor(visit, connection)) void visit.run(find)
      },
      (_request, response) => refuseAtOnce(response, 'internal'),
    )
  const serveOnSocket = guard(
    (request: IncomingMessage, _socket: Duplex, head: Buffer) => {
      const { socket } = request
      const connection = connectionOf(socket)
      connection.takeOver()
      const response = new ServerResponse(request)
      const upgrade = { protocol: protocolOf(request) ?? '', socket, head }
      const visit = begin({ request, response, connection, awaitsContinue: false, upgrade })
      connection.onTurn(() => {
        answerOn(socket, response, deps.clock)
        if (!refusedFor(visit, connection)) void visit.run(find)
      })
    },
    (_request, socket) => socket.destroy(),
  )
  const refuseUnread = guard(
    (error: Error & { readonly code?: string; readonly rawPacket?: Buffer }, socket: Duplex) => {
      const code = refusalOf(error)
      const connection = socket instanceof Socket ? connections.get(socket) : undefined
      if (code === undefined || connection === undefined || !socket.writable) return void socket.destroy()
      if (connection.isSpoilt) return
      // A connection without a byte was opened for later use and is no request.
      if (connection.socket.bytesRead === 0) return void socket.destroy()
      connection.isSpoilt = true
      const { last } = connection
      if (last !== undefined && !last.isWhole)
        return error.code === CUT_SHORT ? void socket.destroy() : last.spoil(code)
      const request = new IncomingMessage(connection.socket)
      // After HEAD a client would take the refusal's body for its next response.
      if (error.rawPacket?.subarray(0, 5).toString('latin1') === 'HEAD ') request.method = 'HEAD'
      const response = new ServerResponse(request)
      const visit = begin({ request, response, connection, awaitsContinue: false, upgrade: undefined })
      connection.onTurn(() => {
        answerOn(connection.socket, response, deps.clock)
        visit.spoil(code)
      })
    },
    (_error, socket) => void socket.destroy(),
  )
  const protocolOf = (request: IncomingMessage) => askedProtocol(request, upgradesFor(request, find))
  const isTunnelled = (request: IncomingMessage): boolean => {
    try {
      return protocolOf(request) !== undefined
    } catch (error) {
      tell(error)
      return false
    }
  }
  const server = createServer({
    keepAliveTimeout: KEEP_ALIVE_MS,
    headersTimeout: HEAD_TIMEOUT_MS,
    requestTimeout: 0,
    optimizeEmptyRequests: true,
    requireHostHeader: false,
    shouldUpgradeCallback: isTunnelled,
  })
    .on('request', serve(false))
    .on('checkContinue', serve(true))
    .on(
      'checkExpectation',
      guard(
        (request: IncomingMessage, response: ServerResponse) => {
          const connection = connectionOf(request.socket)
          begin({ request, response, connection, awaitsContinue: true, upgrade: undefined }).spoil('expectation_failed')
        },
        (_request, response) => refuseAtOnce(response, 'internal'),
      ),
    )
    .on('upgrade', serveOnSocket)
    .on('connect', serveOnSocket)
    .on('clientError', refuseUnread)
    .on(
      'connection',
      guard(
        (socket: Socket) => {
          const overLimit = deps.fullBy(connections.size - overLimits)
          if (overLimit !== undefined) {
            deps.emit({ kind: 'turned_away', listener: door.key, limit: overLimit })
            if (overLimits >= MAX_OVER_LIMIT) return void socket.resetAndDestroy()
            overLimits += 1
          }
          const connection = new ClientConnection(socket, tell)
          connection.overLimit = overLimit
          connections.set(socket, connection)
          const patience = overLimit && deps.clock.after(OVER_LIMIT_MS, () => socket.destroy())
          socket.once('close', () => {
            connections.delete(socket)
            if (patience === undefined) return
            deps.clock.cancel(patience)
            overLimits -= 1
          })
        },
        (socket) => void socket.destroy(),
      ),
    )
  const cut = () => {
    for (const connection of connections.values()) connection.shutDown()
  }
  const address = await listenOn(server, door.key, door.address)
  // Without a listener the event of a connection that could not be accepted would end the process. When descriptors run out,
  // libuv accepts with one in reserve and closes the connection.
  server.on('error', (error: Error & { readonly code?: string }) => {
    if (error.code === 'EMFILE' || error.code === 'ENFILE')
      deps.emit({ kind: 'turned_away', listener: door.key, limit: 'descriptors' })
    else tell(error)
  })
  return {
    address,
    connections: () => connections.size,
    inFlight: () => inFlight,
    lead: (to) => {
      find = to
    },
    retire: (onClosed) => {
      isRetired = true
      server.once('close', () => {
        // The server listens no longer; this ends the check for late heads.
        server.close()
        onClosed()
      })
      // node:http's own close would close idle connections on which a request may be on its way.
      NetServer.prototype.close.call(server)
    },
    finish: () => {
      server.close()
      return inFlight === 0 ? Promise.resolve() : new Promise((resolve) => (onIdle = resolve))
    },
    cut,
    close: () =>
      new Promise((resolve) => {
        if (!server.listening && connections.size === 0) return resolve()
        server.once('close', () => resolve())
        server.close()
        cut()
        for (const socket of connections.keys()) socket.destroy()
      }),
  }
}
