import type { Duplex } from 'node:stream'
import type { IgnoredField, LocalLimit, UnkeptCause } from '../../events.ts'
import { type FaultCode, faultOf, type LimitNamed, ProxyError } from '../../errors.ts'
import type { Inputs } from '../../job/timeouts.ts'
import {
  type Exchange,
  type ExchangeRequest,
  isRepeatable,
  newExchange,
  noteBreak,
  type Reply,
  type Timeouts,
} from '../../policy/exchange.ts'
import type { Deps } from '../../deps.ts'
import type { MessageFault } from '../../http1/fault.ts'
import { CHUNKED } from '../../http1/framing.ts'
import type { RequestOwner, ServerRequest } from '../../http1/server-request.ts'
import { fieldOf, firstField, type RawHeaders, withoutFields } from '../../net/fields.ts'
import { guarded } from '../../guard.ts'
import { outOfTime, tunnelLimit } from '../../policy/out-of-time.ts'
import { Link } from '../../policy/link.ts'
import { KeptBody } from '../body/body.ts'
import type { KeptBytes } from '../body/kept-bytes.ts'
import { shapeOf } from '../computed-timeouts.ts'
import { mayHaveUrls, withRewrittenJson } from '../fields/json-reply.ts'
import {
  type ClientSide,
  clientSide,
  type IncomingFields,
  interimTowardsClient,
  readFields,
  towardsClient,
} from '../headers.ts'
import { deadlineOf, type JobShape } from '../job-shape.ts'
import { answerProblem } from '../problem.ts'
import { Relay } from '../relay.ts'
import { type Route, routeFor, type Upstream } from '../route.ts'
import { openSpill } from '../body/spill.ts'
import { faultCodeOf } from './message-fault.ts'
import { climbsOut, pathOf, REFUSED_METHODS } from '../../net/request-line.ts'
import { authorityOf, optionsTarget, originForm, SERVER_WIDE } from './target.ts'
import { type Joined, joinTrace, withTrace } from '../trace.ts'
import { openTunnel, type TunnelEnd } from '../upstream/tunnel.ts'
import type { Placed } from '../../unordered-list.ts'
import { askedProtocol, passedOn } from './upgrade.ts'

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
  readonly fullBy: (open: number) => LocalLimit | undefined
  /** Largest head of a message, in bytes. */
  readonly maxHead: () => number
  /** Called once per request. */
  readonly jobs: () => JobShape
  /** Share of new traces to record, 0 to 1; undefined when tracing is off. */
  readonly sample: number | undefined
  /** Called once, when the response or the tunnel has ended. */
  readonly onOver: (visit: Visit) => void
}

/** The one expectation that there is (RFC 9110 section 10.1.1). */
const CONTINUE = '100-continue'

/** An interim response, 101 included, has no content, and says no length (RFC 9110 section 8.6). */
const LENGTH = new Set(['content-length'])

const UPGRADE_REQUIRED = 426

/** Time in ms for which a request without a route may go on sending its body. */
const LINGER_MS = 5_000

/** One request from its arrival to the end of its response: finds the route, sends the request, relays the reply. */
export class Visit implements RequestOwner, Placed {
  /** In the listener's list. */
  place = -1
  readonly #request: ServerRequest
  readonly #deps: VisitDeps
  readonly #startedAt: number
  readonly #jobs: JobShape
  readonly #client: Link
  readonly #joined: Joined | undefined
  #continueDue: boolean
  #route: Route | undefined
  #upgrade: string | undefined
  #side: ClientSide | undefined
  #exchange: Exchange | undefined
  #body: KeptBody | undefined
  #relay: Relay | undefined
  #status: number | undefined
  #reason: FaultCode | undefined
  #limit: LimitNamed | undefined
  #detail: string | undefined
  #ignored: readonly IgnoredField[] = []
  #firstByteMs: number | undefined
  #isOver = false
  #isTunnel = false
  #tunnelEnd: TunnelEnd | undefined

  constructor(request: ServerRequest, deps: VisitDeps) {
    this.#request = request
    this.#deps = deps
    this.#startedAt = deps.clock.now()
    this.#jobs = deps.jobs()
    this.#continueDue = request.head.expects !== '' && request.head.hasContent
    this.#client = new Link((status, headers) => {
      if (request.takesInterim && this.#side !== undefined)
        request.inform(status, withoutFields(interimTowardsClient(headers, this.#side), LENGTH))
    })
    if (deps.sample !== undefined) this.#joined = joinTrace(request.head.headers, deps.sample, deps.newId)
  }

  /** Never rejects: errors are answered, or the client is gone. */
  async run(find: (target: string) => Destination): Promise<void> {
    try {
      const { method, target: asked, expects, headers } = this.#request.head
      if (expects !== '' && expects !== CONTINUE) throw new ProxyError('expectation_failed')
      if (REFUSED_METHODS.has(method)) throw new ProxyError('method_refused', `${method} is not proxied`)
      if (method === 'OPTIONS' && firstField(headers, 'max-forwards') === '0')
        throw new ProxyError('method_refused', 'Max-Forwards: 0 ends here')
      const target = method === 'OPTIONS' ? optionsTarget(asked) : originForm(asked)
      if (climbsOut(pathOf(target))) throw new ProxyError('bad_target', 'the path climbs above its root')
      const destination = find(target)
      const path = pathOf(destination.target)
      if (climbsOut(path)) throw new ProxyError('bad_target', 'the path climbs above its prefix')
      const route = routeFor(destination.upstream, method, path, destination.target, this.#request.head.headers)
      this.#route = route
      this.#upgrade = askedProtocol(this.#request.head, route.upgrades)
      const fields = this.#fields(route)
      const side = clientSide(route.fields, destination.upstream, fields.host, destination.prefix)
      this.#side = side
      this.#ignored = fields.ignored
      this.#body = this.#bodyOf(route, fields)
      const { timeouts, jobLink } = route
      const isShaped = typeof timeouts === 'function' || jobLink?.newJob !== undefined
      const shape = isShaped ? await this.#shape(route, destination) : { timeouts, inputs: undefined }
      if (this.#client.gone) return
      const exchange = this.#open(method, destination, path, route, fields, shape)
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
    const { socket, head } = this.#request
    const uuid = this.#joined?.uuid
    const newId = uuid === undefined ? this.#deps.newId : () => uuid
    const sender = {
      address: socket.remoteAddress ?? 'unknown',
      httpVersion: `1.${head.minor}`,
      newId,
      authority: authorityOf(head.target),
    }
    const fields = readFields(head.headers, sender, route.fields)
    return this.#joined === undefined ? fields : { ...fields, headers: withTrace(fields.headers, this.#joined) }
  }

  #open(
    method: string,
    destination: Destination,
    path: string,
    route: Route,
    fields: IncomingFields,
    { timeouts, inputs }: { readonly timeouts: Timeouts; readonly inputs: Inputs | undefined },
  ): Exchange {
    const { headers } = this.#request.head
    const { jobLink } = route
    const job = jobLink?.idOf?.({ path, target: destination.target, headers })
    const request: ExchangeRequest = {
      id: fields.requestId,
      method,
      path,
      target: destination.target === SERVER_WIDE ? SERVER_WIDE : destination.upstream.basePath + destination.target,
      headers: fields.headers,
      body: this.#body,
      upgrade: this.#upgrade,
      hasIdempotencyKey: fields.hasIdempotencyKey,
      startedAt: this.#startedAt,
      clientTimeoutMs: fields.timeoutMs,
      jobDeadlineAt: deadlineOf(headers, route.ref.upstream, job, this.#jobs),
      job,
      newJob: inputs && jobLink?.newJob?.(inputs),
      timeouts,
      client: this.#client,
      readsWhole: (reply) => mayHaveUrls(reply, method, route.fields.rewriting),
      trace: this.#joined?.trace,
    }
    this.#exchange = newExchange(request, route)
    return this.#exchange
  }

  #shape({ timeouts, ref }: Route, { target }: Destination) {
    const request = { headers: this.#request.head.headers, target, body: this.#body }
    return shapeOf(timeouts, request, this.#jobs, ref, this.#deps)
  }

  #bodyOf(route: Route, { hasIdempotencyKey }: IncomingFields): KeptBody | undefined {
    const { hasContent, bodyBytes, method } = this.#request.head
    if (!hasContent) return undefined
    const declaredBytes = bodyBytes === CHUNKED ? undefined : bodyBytes
    return this.#keepBody(route, declaredBytes, isRepeatable(route, { method, hasIdempotencyKey }))
  }

  #keepBody(route: Route, declaredBytes: number | undefined, repeatable: boolean): KeptBody {
    const { emit, newId, spillFolder, keptBytes } = this.#deps
    const { bodyLimits, mayBeRefused } = route
    // Only for the case that the upstream refuses the request: that is worth memory, but no disk and no report.
    const limits = repeatable ? bodyLimits : { memory: bodyLimits.memory, disk: 0 }
    const source = {
      incoming: this.#request,
      declaredBytes,
      isRepeatable: repeatable || mayBeRefused,
      onStart: () => {
        if (this.#continueDue) this.#request.sayContinue()
        this.#continueDue = false
      },
      onUnkept: (why: UnkeptCause, error: unknown) => {
        if (repeatable) emit({ kind: 'body_unkept', ref: route.ref, why, error })
      },
      onFault: this.#tell,
    }
    return new KeptBody(source, limits, keptBytes, () => openSpill(spillFolder, newId()))
  }

  #answer(reply: Reply, side: ClientSide): void {
    const headers = towardsClient(reply.headers, side)
    const attempts = this.#exchange?.attempts ?? 0
    if (attempts > 1) headers.push('x-breakwater-attempts', String(attempts))
    if (reply.status === UPGRADE_REQUIRED) headers.push(...this.#requiredUpgrade(reply))
    this.#status = reply.status
    this.#firstByteMs = this.#deps.clock.now() - this.#startedAt
    if (reply.socket !== undefined) return this.#switch(reply.socket, fieldOf(reply.headers, 'upgrade'), headers)
    if (this.#deps.isDraining()) this.#request.isLast = true
    this.#relay = new Relay(reply, this.#request, this.#exchange?.timeouts.idleMs ?? 0, this.#deps.clock, this.#tell)
    this.#relay.start(headers)
  }

  /** A 426 says what to ask for (RFC 9110 section 15.5.22), and its client asks the sidecar. */
  #requiredUpgrade({ headers }: Reply): string[] {
    const protocols = passedOn(fieldOf(headers, 'upgrade'), this.#route?.upgrades)
    return protocols === '' ? [] : ['upgrade', protocols, 'connection', 'upgrade']
  }

  /** @param protocol that the upstream chose. */
  #switch(upstreamSocket: Duplex, protocol: string, headers: RawHeaders): void {
    this.#isTunnel = true
    const fields = [...withoutFields(headers, LENGTH), 'upgrade', protocol]
    const client = this.#request.socket
    const clientHead = this.#request.release()
    const idleMs = this.#route?.tunnelMs ?? 0
    const onOver = (end: TunnelEnd) => {
      this.#tunnelEnd = end
      if (end.isIdle) this.#limit = tunnelLimit(idleMs)
      this.#end(true)
    }
    openTunnel({ client, upstream: upstreamSocket, headers: fields, clientHead, idleMs, onOver }, this.#deps.clock)
  }

  #refuse(error: unknown): void {
    const problem = error instanceof ProxyError ? error : new ProxyError('internal', undefined, { cause: error })
    if (problem !== error) this.#tell(error)
    if (this.#client.gone) {
      this.#reason ??= problem.code
      return
    }
    this.#answerProblem(problem)
  }

  #answerProblem(problem: ProxyError): void {
    this.#reason = problem.code
    this.#limit = problem.limit
    if (problem.limit === undefined && problem.message !== problem.fault.title) this.#detail = problem.message
    if (this.#request.hasHead) return this.#request.cut()
    this.#status = problem.fault.status
    this.#firstByteMs = this.#deps.clock.now() - this.#startedAt
    answerProblem(this.#request, problem, {
      upstream: this.#route?.ref.upstream,
      attempts: this.#exchange?.attempts ?? 0,
      close: this.#endsConnection(problem.code),
    })
  }

  /**
   * Whether to end the connection: nothing is trusted after a message that two readers could take differently, or after a CONNECT,
   * whose client may go on with bytes for its tunnel. A client that awaits a 100 may or may not send its body.
   */
  #endsConnection(code: FaultCode): boolean {
    const isTunnelAsked = this.#request.head.method === 'CONNECT'
    return code === 'bad_request' || this.#continueDue || isTunnelAsked || this.#deps.isDraining()
  }

  readonly #tell = (error: unknown) => this.#deps.emit({ kind: 'fault', error, where: 'request' })

  /** Cuts the client's connection after an error that no answer can report. */
  readonly #lose = (error: unknown) => {
    this.#tell(error)
    this.#reason = 'internal'
    this.#request.cut()
  }

  spoilt(fault: MessageFault): void {
    // A body that broke off has no answer: its client is gone.
    if (fault.kind === 'incomplete') this.#request.socket.destroy()
    else this.refuse(faultCodeOf(fault), fault.detail)
  }

  /** Refuses the request, or cuts its connection when the answer has begun. */
  refuse(code: FaultCode, detail?: string): void {
    if (this.#isOver) return
    // The attempt ends first, so that the request's history has it.
    this.#client.leave(code)
    guarded(() => this.#answerProblem(new ProxyError(code, detail)), this.#lose)()
  }

  shutDown(): void {
    if (this.#isTunnel) {
      this.#reason = 'shutdown'
      return void this.#request.socket.destroy()
    }
    if (this.#relay === undefined) return this.refuse('shutdown')
    if (this.#isOver) return
    this.#relay.fail('shutdown')
    this.#client.leave('shutdown')
  }

  closed(finished: boolean): void {
    if (this.#isOver) return
    try {
      if (!finished) this.#client.leave('client_gone')
      this.#relay?.stop()
      this.#body?.dispose()
      this.#request.restMs = this.#exchange?.timeouts.idleMs ?? LINGER_MS
      this.#request.drop()
    } catch (error) {
      this.#tell(error)
    }
    // Where the end of the body is being passed on, those who observe it learn it after its reader. The report has what they say.
    if (finished && this.#relay?.wasWhole === false) queueMicrotask(() => this.#end(finished))
    else this.#end(finished)
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
    this.#deps.onOver(this)
  }

  #report(finished: boolean): void {
    const exchange = this.#exchange
    const cut = this.#relay?.cutBy
    const limitOfCut = cut === undefined || exchange === undefined ? undefined : outOfTime(cut, exchange).limit
    const bodyEnd = cut ?? (finished || this.#relay === undefined ? undefined : 'cancelled')
    if (exchange !== undefined && bodyEnd !== undefined) {
      if (cut !== undefined && faultOf(cut).whose === 'upstream') noteBreak(exchange, this.#deps.clock.now())
      this.#deps.emit({ kind: 'body_failed', ref: exchange.route, end: bodyEnd })
    }
    this.#deps.emit({
      kind: 'request',
      ref: this.#route?.ref,
      id: exchange?.id ?? '',
      method: this.#request.head.method,
      path: pathOf(this.#request.head.target),
      status: this.#status ?? 499,
      reason: cut ?? this.#reason ?? (finished ? undefined : this.#client.goneAs),
      limit: this.#limit ?? limitOfCut,
      detail: this.#detail,
      ignored: this.#ignored,
      attempts: exchange?.attempts ?? 0,
      queueMs: exchange?.spent.queueMs ?? 0,
      backoffMs: exchange?.spent.backoffMs ?? 0,
      connectMs: exchange?.spent.connectMs ?? 0,
      breakerMs: exchange?.spent.breakerMs ?? 0,
      retryAfterMs: exchange?.spent.retryAfterMs ?? 0,
      firstByteMs: this.#firstByteMs,
      totalMs: this.#deps.clock.now() - this.#startedAt,
      bytesIn: this.#tunnelEnd?.bytesIn ?? this.#body?.received ?? 0,
      bytesOut: this.#tunnelEnd?.bytesOut ?? this.#relay?.bytes ?? 0,
      startedAt: this.#startedAt,
      history: exchange?.history ?? [],
      retryDenied: exchange?.retryDenied,
      shared: exchange?.isShared ?? false,
      job:
        exchange?.job === undefined ? undefined : { id: exchange.job, isPoll: this.#route?.jobLink?.isPolled ?? false },
      trace: this.#joined?.trace,
    })
  }
}
