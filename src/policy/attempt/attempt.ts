import { Watchdog } from '../../clock.ts'
import { type FaultCode, ProxyError, type Whose } from '../../errors.ts'
import {
  type Call,
  type CallWatch,
  type Exchange,
  fork,
  type Reply,
  remember,
  type Send,
  type Transport,
} from '../exchange.ts'
import type { Deps } from '../../deps.ts'
import type { AttemptSpan } from '../../events.ts'

/**
 * Makes one attempt: sends the exchange once. `connect` bounds connecting, `idle` sending, `attempt` the wait for the head, the
 * deadline all of it. Does not decide whether to retry, or whose fault a failure is.
 * @param origin of the endpoint that the transport leads to.
 * @param endpoint the same origin as events show it; undefined where the upstream has one endpoint.
 */
export const attempting =
  (transport: Transport, origin: string, endpoint: string | undefined, deps: Deps): Send =>
  (exchange) =>
    new Promise((resolve, reject) => {
      if (exchange.client.gone) return reject(new ProxyError(exchange.client.goneAs))
      new Attempt(exchange, { origin, endpoint }, deps, resolve, reject).start(transport)
    })

type Phase = 'connecting' | 'sending' | 'waiting'

class Attempt implements CallWatch {
  readonly #exchange: Exchange
  readonly #endpoint: string | undefined
  readonly #deps: Deps
  readonly #resolve: (reply: Reply) => void
  readonly #reject: (error: ProxyError) => void
  readonly #watchdog: Watchdog
  readonly #startedAt: number
  readonly #span: AttemptSpan | undefined
  readonly #onGone = () => this.#giveUp(this.#exchange.client.goneAs)
  #phase: Phase = 'connecting'
  #phaseSince: number
  /** The clock's `stalledMs` at the start of the phase. */
  #stalledBefore: number
  #connectMs: number | undefined
  #call: Call | undefined
  #over = false

  constructor(
    exchange: Exchange,
    { origin, endpoint }: { readonly origin: string; readonly endpoint: string | undefined },
    deps: Deps,
    resolve: (reply: Reply) => void,
    reject: (error: ProxyError) => void,
  ) {
    this.#exchange = exchange
    this.#endpoint = endpoint
    this.#deps = deps
    this.#resolve = resolve
    this.#reject = reject
    this.#startedAt = deps.clock.now()
    this.#span = spanOf(exchange, origin, deps)
    this.#phaseSince = this.#startedAt
    this.#stalledBefore = deps.clock.stalledMs()
    this.#watchdog = new Watchdog(
      deps.clock,
      () => this.#dueAt(),
      () => this.#giveUp(this.#lateness(), this.#stalledMs() > 0 ? 'sidecar' : undefined),
    )
  }

  start(transport: Transport): void {
    this.#exchange.attempts += 1
    this.#exchange.client.listen(this.#onGone)
    try {
      this.#call = transport(
        this.#span === undefined ? this.#exchange : withTraceparent(this.#exchange, this.#span),
        this,
      )
    } catch (error) {
      this.#deps.emit({ kind: 'fault', error, where: 'attempt' })
      if (!this.#over) this.failed('internal', error)
    }
    if (!this.#over) this.#watchdog.watch()
  }

  started(connectMs: number | undefined): void {
    this.#connectMs = connectMs
    if (connectMs !== undefined) this.#exchange.spent.connectMs += connectMs
    this.#enter('sending')
  }

  progressed(): void {
    this.#since()
  }

  sent(): void {
    this.#enter('waiting')
  }

  head(reply: Reply): void {
    this.#finish(reply.status, undefined, reply.early)
    this.#resolve(reply)
  }

  failed(code: FaultCode, cause: unknown): void {
    this.#finish(undefined, code, false)
    this.#reject(new ProxyError(code, undefined, { cause }))
  }

  #enter(phase: Phase): void {
    this.#phase = phase
    this.#since()
    if (this.#call !== undefined) this.#watchdog.watch()
  }

  #since(): void {
    this.#phaseSince = this.#deps.clock.now()
    this.#stalledBefore = this.#deps.clock.stalledMs()
  }

  /** Time in this phase in which the process was paused, in ms. */
  #stalledMs(): number {
    return this.#deps.clock.stalledMs() - this.#stalledBefore
  }

  #phaseEndsAt(): number {
    if (this.#phase === 'connecting') return this.#phaseSince + this.#exchange.timeouts.connectMs
    if (this.#phase === 'sending') return this.#phaseSince + this.#exchange.timeouts.idleMs
    return this.#phaseSince + this.#exchange.attemptTimeoutMs
  }

  #dueAt(): number {
    return Math.min(this.#phaseEndsAt(), this.#exchange.deadlineAt)
  }

  #lateness(): FaultCode {
    if (this.#exchange.deadlineAt < this.#phaseEndsAt()) return this.#exchange.deadlineFault
    if (this.#phase === 'connecting') return 'connect_timeout'
    if (this.#phase === 'waiting') return 'attempt_timeout'
    return this.#exchange.body?.starved ? 'client_stalled' : 'idle_timeout'
  }

  /** @param whose given where it differs from the fault's own. */
  #giveUp(code: FaultCode, whose?: Whose): void {
    this.#finish(undefined, code, false)
    this.#call?.abort()
    this.#reject(new ProxyError(code, undefined, whose && { whose }))
  }

  #finish(status: number | undefined, reason: FaultCode | undefined, early: boolean): void {
    this.#over = true
    this.#watchdog.stop()
    this.#exchange.client.unlisten(this.#onGone)
    const now = this.#deps.clock.now()
    const durationMs = now - this.#startedAt
    const { route: ref } = this.#exchange
    const [startedAt, endpoint, span] = [this.#startedAt, this.#endpoint, this.#span]
    if (this.#phase === 'waiting') this.#exchange.headMs = now - this.#phaseSince - this.#stalledMs()
    const outcome = status ?? reason ?? 'internal'
    remember(this.#exchange, { startedAt, ms: durationMs, outcome, early, endpoint, job: undefined, span })
    this.#deps.emit({ kind: 'attempt', ref, status, reason, durationMs, connectMs: this.#connectMs })
  }
}

/** The span id is 16 digits of a random UUID, without those that hold its version. */
const spanOf = ({ trace, target }: Exchange, origin: string, { newId }: Deps): AttemptSpan | undefined =>
  trace && { id: newId().replaceAll('-', '').slice(16), trace, origin, path: target.replace(/[?#].*$/s, '') }

/** Copies the exchange with a `traceparent` of this attempt. Only recorded requests pay for the copy. */
const withTraceparent = (exchange: Exchange, { id, trace }: AttemptSpan): Exchange =>
  fork(exchange, { headers: [...exchange.headers, 'traceparent', `00-${trace.traceId}-${id}-${trace.flags}`] })
