import type { Clock } from '../clock.ts'
import { type FaultCode, faultOf, ProxyError } from '../errors.ts'
import {
  type BodySink,
  type Exchange,
  newExchange,
  noteBreak,
  type Reply,
  type RequestBody,
} from '../policy/exchange.ts'
import type { Deps } from '../deps.ts'
import { Link } from '../policy/link.ts'
import type { Inputs } from '../job/timeouts.ts'
import { type Route, routeFor, type Upstream } from '../proxy/route.ts'

/** A client's request as the policies see it. Times in ms from its arrival. */
export type SimulatedAsk = {
  /** Number by which the simulated upstream knows it. */
  readonly id: string
  readonly method: string
  /** Path at the upstream's own listener: without prefix and query. */
  readonly path: string
  /** The path with a part that distinguishes requests which differ. */
  readonly target: string
  readonly bodyBytes: number
  /** Whether its body stops before its end. */
  readonly stalls: boolean
  /** Infinity for a client that stays. */
  readonly leavesAfterMs: number
  /** The client's own limit, and the job's deadline; undefined without one. */
  readonly clientTimeoutMs: number | undefined
  readonly jobLeftMs: number | undefined
}

/** Result of a request for its client. */
export type Got = {
  /** Status of the response; the fault's code when the sidecar answers itself, the body breaks off or the client leaves. */
  readonly outcome: number | FaultCode
  /** From the arrival to the end of the response. */
  readonly ms: number
  readonly attempts: number
  readonly body: string
  /** Retry-After of a fault, in seconds. */
  readonly retryAfterS: number | undefined
}

/**
 * One request from its arrival to the end of its response: the counterpart of `Visit` without sockets. Exchange and final event
 * are the same.
 */
export class SimulatedRequest implements BodySink {
  readonly #ask: SimulatedAsk
  readonly #deps: Deps
  readonly #route: Route
  readonly #startedAt: number
  readonly #exchange: Exchange
  readonly #onOver: (got: Got) => void
  readonly #client = new Link(() => {})
  #leaving: ReturnType<Clock['after']> | undefined
  #reply: Reply | undefined
  #status: number | undefined
  #firstByteMs: number | undefined
  #body = ''

  constructor(ask: SimulatedAsk, upstream: Upstream, inputs: Inputs, deps: Deps, onOver: (got: Got) => void) {
    this.#ask = ask
    this.#deps = deps
    this.#onOver = onOver
    this.#startedAt = deps.clock.now()
    const route = routeFor(upstream, ask.method, ask.path, ask.target, [])
    this.#route = route
    const { timeouts } = route
    const request = {
      id: ask.id,
      method: ask.method,
      path: ask.path,
      target: upstream.basePath + ask.target,
      headers: [],
      body: ask.bodyBytes > 0 ? bodyOf(ask, route) : undefined,
      upgrade: undefined,
      hasIdempotencyKey: false,
      startedAt: this.#startedAt,
      clientTimeoutMs: ask.clientTimeoutMs,
      jobDeadlineAt: ask.jobLeftMs === undefined ? undefined : this.#startedAt + ask.jobLeftMs,
      job: undefined,
      newJob: undefined,
      timeouts: typeof timeouts === 'function' ? timeouts(inputs) : timeouts,
      client: this.#client,
      readsWhole: () => false,
      trace: undefined,
    }
    this.#exchange = newExchange(request, route)
  }

  /** Rejects only for a defect. */
  async run(): Promise<void> {
    const { leavesAfterMs } = this.#ask
    if (leavesAfterMs !== Number.POSITIVE_INFINITY)
      this.#leaving = this.#deps.clock.after(leavesAfterMs, () => this.#leave())
    try {
      const reply = await this.#route.send(this.#exchange)
      if (this.#client.gone) return reply.discard('cancelled')
      this.#reply = reply
      this.#status = reply.status
      this.#firstByteMs = this.#elapsed()
      reply.pipe(this)
    } catch (error) {
      if (!(error instanceof ProxyError)) throw error
      if (this.#client.gone) return
      this.#status = error.fault.status
      this.#firstByteMs = this.#elapsed()
      this.#finish(error.code, error.retryAfterS)
    }
  }

  data(chunk: Buffer): boolean {
    this.#body += chunk.toString()
    return true
  }

  end(): void {
    this.#finish(undefined)
  }

  fail(code: FaultCode): void {
    this.#reply?.discard(code)
    if (faultOf(code).whose === 'upstream') noteBreak(this.#exchange, this.#deps.clock.now())
    this.#finish(code)
  }

  #leave(): void {
    this.#leaving = undefined
    this.#client.leave('client_gone')
    this.#reply?.discard('cancelled')
    this.#finish('client_gone')
  }

  #elapsed(): number {
    return this.#deps.clock.now() - this.#startedAt
  }

  #finish(reason: FaultCode | undefined, retryAfterS: number | undefined = undefined): void {
    if (this.#leaving !== undefined) this.#deps.clock.cancel(this.#leaving)
    const { attempts, spent, history, isShared } = this.#exchange
    const status = this.#status ?? 499
    const totalMs = this.#elapsed()
    this.#deps.emit({
      kind: 'request',
      ref: this.#route.ref,
      id: this.#ask.id,
      method: this.#ask.method,
      path: this.#ask.path,
      status,
      reason,
      limit: undefined,
      ignored: [],
      attempts,
      queueMs: spent.queueMs,
      backoffMs: spent.backoffMs,
      connectMs: spent.connectMs,
      breakerMs: spent.breakerMs,
      retryAfterMs: spent.retryAfterMs,
      firstByteMs: this.#firstByteMs,
      totalMs,
      bytesIn: this.#ask.bodyBytes,
      bytesOut: 0,
      startedAt: this.#startedAt,
      history,
      retryDenied: this.#exchange.retryDenied,
      shared: isShared,
      job: undefined,
      trace: undefined,
    })
    this.#onOver({ outcome: reason ?? status, ms: totalMs, attempts, body: this.#body, retryAfterS })
  }
}

/** All bodies differ: their bytes are unknown, and a call must not be shared by different requests. */
function bodyOf({ id, bodyBytes, stalls }: SimulatedAsk, { bodyLimits }: Route): RequestBody {
  return {
    replayable: bodyBytes <= bodyLimits.memory + bodyLimits.disk,
    complete: !stalls,
    starved: stalls,
    received: bodyBytes,
    open: () => ({ resume: () => {}, stop: () => {} }),
    peek: async (limitBytes) => (bodyBytes <= limitBytes && !stalls ? Buffer.from(id) : undefined),
    commit: () => {},
  }
}
