import { createServer, type Socket } from 'node:net'
import { ProxyError } from '../../errors.ts'
import { guarded } from '../../guard.ts'
import { type Address, listenOn } from '../../net/listen.ts'
import type { LocalLimit } from '../../events.ts'
import type { MessageFault } from '../../http1/fault.ts'
import { FIXED_LIMITS } from '../../http1/head.ts'
import { ServerConnection, type ServerHandler, type ServerLimits } from '../../http1/server-connection.ts'
import type { ServerRequest } from '../../http1/server-request.ts'
import { faultCodeOf } from './message-fault.ts'
import type { Upstream } from '../route.ts'
import { splitPrefix } from '../../net/request-line.ts'
import { UnorderedList } from '../../unordered-list.ts'
import { type Destination, Visit, type VisitDeps } from './visit.ts'

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

const LIMITS: Omit<ServerLimits, 'maxHeadBytes'> = {
  ...FIXED_LIMITS,
  headMs: 30_000,
  // Longer than clients' pools keep theirs: httpx 5 s, most others 60 s at most.
  idleMs: 65_000,
  lingerMs: 5_000,
}

/** Finds the upstream by the first path segment, which is removed (shared listener). */
export const byPrefix =
  (upstreams: () => ReadonlyMap<string, Upstream>) =>
  (target: string): Destination => {
    // On the shared listener the server as a whole is the sidecar.
    if (target === '*') throw new ProxyError('bad_target', 'OPTIONS * names no upstream')
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

/** Largest number of connections over a limit that may wait for their refusal, and how long, in ms. Further ones are reset. */
const MAX_OVER_LIMIT = 16
const OVER_LIMIT_MS = 5_000

const DETAILS: Readonly<Record<LocalLimit, string>> = {
  maxConnections: 'the listener has as many connections as maxConnections allows',
  descriptors: 'the process has no descriptor left for a further connection',
}

/** @throws Error naming the key when it cannot listen there. */
// biome-ignore lint/complexity/noExcessiveLinesPerFunction: short closures over the state of one listener, one for each event of the server.
export async function listen(door: Door, deps: Omit<VisitDeps, 'onOver'>): Promise<Listener> {
  let { find } = door
  let isRetired = false
  /** Connections over a limit that wait for their first request. */
  let overLimits = 0
  let onIdle = () => {}
  const connections = new Set<ServerConnection>()
  const visits = new UnorderedList<Visit>()
  const tell = (error: unknown) => deps.emit({ kind: 'fault', error, where: 'listener' })
  const visitDeps: VisitDeps = {
    ...deps,
    isDraining: () => isRetired || deps.isDraining(),
    onOver: (visit) => {
      visits.delete(visit)
      if (visits.size === 0) onIdle()
    },
  }
  const begin = (request: ServerRequest): Visit => {
    const visit = new Visit(request, visitDeps)
    request.owner = visit
    visits.add(visit)
    return visit
  }
  /** @param overLimit limit that leaves no room for the connection: its first request is refused, so that the client can read why. */
  const handlerOf = (overLimit: LocalLimit | undefined, onClosed: () => void): ServerHandler => ({
    begin: (request) => {
      const visit = begin(request)
      if (overLimit === undefined) return void visit.run(find)
      request.isLast = true
      visit.refuse('local_limit', DETAILS[overLimit])
    },
    refuse: (request, fault) => {
      if (fault !== 'head_timeout') deps.emit({ kind: 'not_http', ref: undefined, detail: fault.detail, received: '' })
      refuse(begin(request), fault)
    },
    closed: onClosed,
    lost: tell,
  })
  const server = createServer({ allowHalfOpen: true, noDelay: true })
  const accept = (socket: Socket) => {
    const overLimit = deps.fullBy(connections.size - overLimits)
    if (overLimit !== undefined) {
      deps.emit({ kind: 'turned_away', listener: door.key, limit: overLimit })
      if (overLimits >= MAX_OVER_LIMIT) return void socket.resetAndDestroy()
      overLimits += 1
    }
    const patience = overLimit && deps.clock.after(OVER_LIMIT_MS, () => socket.destroy())
    const onClosed = () => {
      connections.delete(connection)
      if (patience === undefined) return
      deps.clock.cancel(patience)
      overLimits -= 1
    }
    const limits = { ...LIMITS, maxHeadBytes: deps.maxHead() }
    const connection = new ServerConnection(socket, limits, handlerOf(overLimit, onClosed), deps.clock)
    connections.add(connection)
  }
  server.on(
    'connection',
    guarded(accept, (error, socket) => {
      tell(error)
      socket.destroy()
    }),
  )
  const cut = () => {
    for (const visit of visits.now()) visit.shutDown()
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
    inFlight: () => visits.size,
    lead: (to) => {
      find = to
    },
    retire: (onClosed) => {
      isRetired = true
      server.close(onClosed)
    },
    finish: () => {
      server.close()
      for (const connection of [...connections]) connection.finish()
      return visits.size === 0 ? Promise.resolve() : new Promise((resolve) => (onIdle = resolve))
    },
    cut,
    close: () =>
      new Promise((resolve) => {
        if (!server.listening && connections.size === 0) return resolve()
        server.once('close', () => resolve())
        server.close()
        cut()
        for (const connection of [...connections]) connection.socket.destroy()
      }),
  }
}

/** Answers what is no request. */
function refuse(visit: Visit, fault: MessageFault | 'head_timeout'): void {
  if (fault === 'head_timeout') visit.refuse('client_stalled', 'the head of the request did not come in time')
  else visit.refuse(faultCodeOf(fault), fault.detail)
}
