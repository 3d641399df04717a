import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { IgnoredField, LocalLimit, UnkeptCause } from '../../events.ts'
import { type FaultCode, type LimitNamed, ProxyError } from '../../errors.ts'
import type { Inputs } from '../../job/timeouts.ts'
import {
  type Exchange,
  type ExchangeRequest,
  isRepeatable,
  newExchange,
  type Reply,
  type Timeouts,
} from '../../policy/exchange.ts'
import type { Deps } from '../../deps.ts'
import { fieldOf, type RawHeaders } from '../../net/fields.ts'
import { guarded } from '../../guard.ts'
import { Link } from '../../policy/link.ts'
import { KeptBody } from '../body/body.ts'
import type { KeptBytes } from '../body/kept-bytes.ts'
import type { ClientConnection } from './client-connection.ts'
import { computedTimeouts } from '../computed-timeouts.ts'
import { mayHaveUrls, withRewrittenJson } from '../fields/json-reply.ts'
import {
  type ClientSide,
  clientSide,
  type IncomingFields,
  interimTowardsClient,
  readFields,
  towardsClient,
} from '../headers.ts'
import { type JobShape, jobOf } from '../job-shape.ts'
import { answerProblem } from '../problem.ts'
import { cut, Relay } from '../relay.ts'
import { type Route, routeFor, type Upstream } from '../route.ts'
import { openSpill } from '../body/spill.ts'
import { authorityOf, climbsOut, originForm, pathOf } from './target.ts'
import { type Joined, joinTrace, withTrace } from '../trace.ts'
import { openTunnel } from '../upstream/tunnel.ts'

/** Upstream and target of a request, by its listener. */
export type Destination = {
  readonly upstream: Upstream
  /** Origin-form target below the upstream's base path. */
  readonly target: string
  /** Path prefix that named the upstream, e.g. `/web`; '' on an upstream's own listener. */
  readonly prefix: string
}

export type VisitDeps = Deps & {
  /** Folder for bodies that outgrow memory. */
  readonly spillFolder: string
  /** Kept bodies of all requests. */
  readonly keptBytes: KeptBytes
  /** The limit that leaves no room for another connection. @param open connections of the listener. */
  readonly fullBy: (open: number) => Exclude<LocalLimit, 'pipeline'> | undefined
  /** Largest head of a message, in bytes. */
  readonly maxHead: () => number
  /** Called once per request. */
  readonly jobs: () => JobShape
  /** Share of new traces to record, 0 to 1; undefined when tracing is off. */
  readonly sample: number | undefined
  /** Called once, when the response or the tunnel has ended. */
  readonly onOver: () => void
}

/** A request as it arrived. */
export type Asked = {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly connection: ClientConnection
  /** Whether it waits for `100 Continue` before its body. */
  readonly awaitsContinue: boolean
  /** The request asks to switch protocols: its socket, which node has handed over, and the bytes after the request. */
  readonly upgrade: { readonly protocol: string; readonly socket: Socket; readonly head: Buffer } | undefined
}

/** Methods that a gateway does not serve (RFC 9110 sections 9.3.6 and 9.3.8). */
const REFUSED_METHODS = new Set(['CONNECT', 'TRACE'])

/** Time in ms for which a request without a route may go on sending its body. */
const LINGER_MS = 5_000

/** One request from its arrival to the end of its response: finds the route, sends the request, relays the reply. */
export class Visit {
  readonly #request: IncomingMessage
  readonly #asked: Asked
  readonly #deps: VisitDeps
  readonly #startedAt: number
  readonly #jobs: JobShape
  readonly #client = new Link((status, headers) => this.#inform(status, headers))
  readonly #joined: Joined | undefined
  #continueDue: boolean
  #route: Route | undefined
  #side: ClientSide | undefined
  #exchange: Exchange | undefined
  #body: KeptBody | undefined
  #relay: Relay | undefined
  #status: number | undefined
  #reason: FaultCode | undefined
  #limit: LimitNamed | undefined
  #ignored: readonly IgnoredField[] = []
  #firstByteMs: number | undefined
  #isOver = false
  #isTunnel = false
  readonly response: ServerResponse

  constructor(asked: Asked, deps: VisitDeps) {
    const { request, response, connection } = asked
    this.#request = request
    this.response = response
    this.#asked = asked
    this.#deps = deps
    this.#startedAt = deps.clock.now()
    this.#jobs = deps.jobs()
    this.#continueDue = asked.awaitsContinue
    if (deps.sample !== undefined) this.#joined = joinTrace(request.rawHeaders, deps.sample, deps.newId)
    response.on('close', () => this.leave())
    connection.began(this)
  }

  /** Drops interim responses while the client does not keep up, and before the request's turn. They are never queued. */
  #inform(status: number, headers: RawHeaders): void {
    const { socket } = this.response
    if (this.#client.gone || this.response.headersSent || this.#request.httpVersion !== '1.1') return
    if (socket === null || socket.writableNeedDrain || this.#side === undefined) return
    this.response.writeInformation(status, interimTowardsClient(headers, this.#side))
  }

  /**
   * Asks the client for its body, once it is the request's turn: before that the response has no socket, and node would write
   * the 100 after the head.
   */
  #sayContinue(): void {
    const { response } = this
    if (response.headersSent) return
    if (response.socket === null)
      response.once(
        'socket',
        guarded(() => this.#sayContinue(), this.#lose),
      )
    else response.writeContinue()
  }

  /** Never rejects: errors are answered, or the client is gone. */
  async run(find: (target: string) => Destination): Promise<void> {
    try {
      const method = this.#request.method ?? ''
      if (REFUSED_METHODS.has(method)) throw new ProxyError('method_refused', `${method} is not proxied`)
      const target = originForm(this.#request.url ?? '')
      if (climbsOut(pathOf(target))) throw new ProxyError('bad_target', 'the path climbs above its root')
      const destination = find(target)
      const path = pathOf(destination.target)
      if (climbsOut(path)) throw new ProxyError('bad_target', 'the path climbs above its prefix')
      const route = routeFor(destination.upstream, method, path)
      this.#route = route
      const fields = this.#fields(route)
      const side = clientSide(route.fields, destination.upstream, fields.host, destination.prefix)
      this.#side = side
      this.#ignored = fields.ignored
      if (fields.hosts > 1 || (fields.hosts === 0 && this.#request.httpVersion === '1.1'))
        throw new ProxyError('bad_request', 'a request has exactly one Host')
      this.#body = this.#bodyOf(route, fields)
      const { timeouts } = route
      const settled = typeof timeouts === 'function' ? await this.#computed(timeouts, route, destination) : timeouts
      if (this.#client.gone) return
      const exchange = this.#open(method, destination, path, route, fields, settled)
      let reply = await route.send(exchange)
      const { rewriting } = route.fields
      if (!this.#client.gone && mayHaveUrls(reply, method, rewriting))
        reply = await withRewrittenJson(reply, exchange, rewriting, side.address, this.#deps.clock)
      if (this.#client.gone) return reply.discard('cancelled')
      this.#body?.commit()
      this.#answer(reply, side)
    } catch (error) {
      guarded(() => this.#refuse(error), this.#lose)()
    }
  }

  #fields(route: Route): IncomingFields {
    const { socket, httpVersion, rawHeaders, url = '' } = this.#request
    const uuid = this.#joined?.uuid
    const newId = uuid === undefined ? this.#deps.newId : () => uuid
    const sender = { address: socket.remoteAddress ?? 'unknown', httpVersion, newId, authority: authorityOf(url) }
    const fields = readFields(rawHeaders, sender, route.fields)
    return this.#joined === undefined ? fields : { ...fields, headers: withTrace(fields.headers, this.#joined) }
  }

  #open(
    method: string,
    destination: Destination,
    path: string,
    route: Route,
    fields: IncomingFields,
    timeouts: Timeouts,
  ): Exchange {
    const job = jobOf(this.#request.rawHeaders, this.#jobs)
    const request: ExchangeRequest = {
      id: fields.requestId,
      method,
      path,
      target: destination.upstream.basePath + destination.target,
      headers: fields.headers,
      body: this.#body,
      upgrade: this.#asked.upgrade?.protocol,
      hasIdempotencyKey: fields.hasIdempotencyKey,
      startedAt: this.#startedAt,
      clientTimeoutMs: fields.timeoutMs,
      jobDeadlineAt: job === undefined ? undefined : this.#jobs.book.deadlineOf(job.id),
      timeouts,
      client: this.#client,
      trace: this.#joined?.trace,
    }
    this.#exchange = newExchange(request, route)
    return this.#exchange
  }

  #computed(compute: (inputs: Inputs) => Timeouts, { ref }: Route, { target }: Destination): Promise<Timeouts> {
    const request = { headers: this.#request.rawHeaders, target, body: this.#body }
    return computedTimeouts(compute, request, this.#jobs, ref, this.#deps)
  }

  #bodyOf(route: Route, { transferEncoding, contentLength, hasIdempotencyKey }: IncomingFields): KeptBody | undefined {
    if (transferEncoding !== '' && transferEncoding !== 'chunked') throw new ProxyError('coding_refused')
    const hasBody = transferEncoding !== '' || (contentLength ?? 0) > 0
    // What follows an upgrade request is the new protocol, not a body.
    if (!hasBody || this.#asked.upgrade !== undefined) return undefined
    const method = this.#request.method ?? ''
    return this.#keepBody(route, contentLength, isRepeatable(route, { method, hasIdempotencyKey }))
  }

  #keepBody(route: Route, declaredBytes: number | undefined, repeatable: boolean): KeptBody {
    const { emit, newId, spillFolder, keptBytes } = this.#deps
    const source = {
      stream: this.#request,
      declaredBytes,
      isRepeatable: repeatable,
      onStart: () => {
        if (this.#continueDue) this.#sayContinue()
        this.#continueDue = false
      },
      onUnkept: (why: UnkeptCause, error: unknown) => emit({ kind: 'body_unkept', ref: route.ref, why, error }),
      onFault: this.#tell,
    }
    return new KeptBody(source, route.bodyLimits, keptBytes, () => openSpill(spillFolder, newId()))
  }

  #answer(reply: Reply, side: ClientSide): void {
    const headers = towardsClient(reply.headers, side)
    const attempts = this.#exchange?.attempts ?? 0
    if (attempts > 1) headers.push('x-breakwater-attempts', String(attempts))
    this.#status = reply.status
    this.#firstByteMs = this.#deps.clock.now() - this.#startedAt
    if (reply.socket !== undefined) return this.#switch(reply.socket, fieldOf(reply.headers, 'upgrade'), headers)
    if (this.#deps.isDraining()) headers.push('connection', 'close')
    this.#relay = new Relay(reply, this.response, this.#exchange?.timeouts.idleMs ?? 0, this.#deps.clock, this.#tell)
    this.#relay.start(headers)
  }

  /** @param protocol that the upstream chose. */
  #switch(upstreamSocket: Duplex, protocol: string, headers: string[]): void {
    const { connection, upgrade } = this.#asked
    if (upgrade === undefined) return
    this.#isTunnel = true
    headers.push('connection', 'upgrade', 'upgrade', protocol)
    this.response.detachSocket(upgrade.socket)
    connection.letGo()
    const { socket: client, head: clientHead } = upgrade
    const idleMs = this.#route?.tunnelMs ?? 0
    const onOver = () => this.#end(true)
    openTunnel({ client, upstream: upstreamSocket, headers, clientHead, idleMs, onOver }, this.#deps.clock)
  }

  #refuse(error: unknown): void {
    const problem = error instanceof ProxyError ? error : new ProxyError('internal', undefined, { cause: error })
    if (problem !== error) this.#tell(error)
    if (this.#client.gone) {
      this.#reason ??= problem.code
      return
    }
    this.#reason = problem.code
    this.#limit = problem.limit
    if (this.response.headersSent) return cut(this.response)
    this.#status = problem.fault.status
    this.#firstByteMs = this.#deps.clock.now() - this.#startedAt
    answerProblem(this.response, problem, {
      upstream: this.#route?.ref.upstream,
      attempts: this.#exchange?.attempts ?? 0,
      close: this.#endsConnection(problem.code),
    })
  }

  /**
   * Whether to end the connection: nothing is trusted after a message that two readers could take differently. A client that is
   * still sending is read to its end otherwise, or a reset would lose its answer.
   */
  #endsConnection(code: FaultCode): boolean {
    const { isSpoilt, overLimit } = this.#asked.connection
    return code === 'bad_request' || this.#continueDue || isSpoilt || overLimit !== undefined || this.#deps.isDraining()
  }

  readonly #tell = (error: unknown) => this.#deps.emit({ kind: 'fault', error, where: 'request' })

  /** Cuts the client's connection after an error that no answer can report. */
  readonly #lose = (error: unknown) => {
    this.#tell(error)
    this.#reason = 'internal'
    cut(this.response)
  }

  get isWhole(): boolean {
    return this.#request.complete
  }

  spoil(code: FaultCode, detail?: string): void {
    if (this.#isOver) return
    guarded(() => this.#refuse(new ProxyError(code, detail)), this.#lose)()
    this.#client.leave(code)
  }

  shutDown(): void {
    if (this.#isTunnel) {
      this.#reason = 'shutdown'
      return void this.#asked.upgrade?.socket.destroy()
    }
    if (this.#relay === undefined) return this.spoil('shutdown')
    if (this.#isOver) return
    this.#relay.fail('shutdown')
    this.#client.leave('shutdown')
  }

  /** Ends the visit with its response or its client. @param as reason when the response had not ended. */
  leave(as: FaultCode = 'client_gone'): void {
    if (this.#isOver) return
    const finished = this.response.writableFinished
    try {
      if (!finished) this.#client.leave(as)
      this.#relay?.stop()
      this.#body?.dispose()
      if (finished && !this.#request.complete) this.#linger()
    } catch (error) {
      this.#tell(error)
    }
    this.#end(finished)
  }

  /** @param finished whether the whole response was sent. */
  #end(finished: boolean): void {
    if (this.#isOver) return
    this.#isOver = true
    try {
      this.#report(finished)
    } catch (error) {
      this.#tell(error)
    }
    this.#asked.connection.over(this)
    this.#deps.onOver()
  }

  /** Drops the rest of a request body whose response has ended, for a bounded time. */
  #linger(): void {
    const { clock } = this.#deps
    const timer = clock.after(this.#exchange?.timeouts.idleMs ?? LINGER_MS, () => this.#request.socket.destroy())
    this.#request.once('close', () => clock.cancel(timer))
  }

  #report(finished: boolean): void {
    const exchange = this.#exchange
    const cut = this.#relay?.cutBy
    const bodyEnd = cut ?? (finished || this.#relay === undefined ? undefined : 'cancelled')
    if (exchange !== undefined && bodyEnd !== undefined) {
      this.#deps.emit({ kind: 'body_failed', ref: exchange.route, end: bodyEnd })
    }
    this.#deps.emit({
      kind: 'request',
      ref: this.#route?.ref,
      id: exchange?.id ?? '',
      method: this.#request.method ?? '',
      path: pathOf(this.#request.url ?? ''),
      status: this.#status ?? 499,
      reason: cut ?? this.#reason ?? (finished ? undefined : this.#client.goneAs),
      limit: this.#limit,
      ignored: this.#ignored,
      attempts: exchange?.attempts ?? 0,
      queueMs: exchange?.spent.queueMs ?? 0,
      backoffMs: exchange?.spent.backoffMs ?? 0,
      connectMs: exchange?.spent.connectMs ?? 0,
      breakerMs: exchange?.spent.breakerMs ?? 0,
      retryAfterMs: exchange?.spent.retryAfterMs ?? 0,
      firstByteMs: this.#firstByteMs,
      totalMs: this.#deps.clock.now() - this.#startedAt,
      bytesIn: this.#body?.received ?? 0,
      bytesOut: this.#relay?.bytes ?? 0,
      startedAt: this.#startedAt,
      history: exchange?.history ?? [],
      shared: exchange?.isShared ?? false,
      trace: this.#joined?.trace,
    })
  }
}
