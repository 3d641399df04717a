import { Watchdog } from '../../clock.ts'
import { type FaultCode, ProxyError, type Whose } from '../../errors.ts'
import {
  type Call,
  type CallWatch,
  type Exchange,
  extendTotal,
  fork,
  type Reply,
  remember,
  type Send,
  type Transport,
} from '../exchange.ts'
import type { Deps } from '../../deps.ts'
import type { AttemptSpan } from '../../events.ts'
import { withoutFields } from '../../net/fields.ts'
import { Untaken } from '../../net/untaken.ts'
import { outOfTime } from '../out-of-time.ts'
import { saidBy } from './cause.ts'
import { retryAfterMs } from '../retry/backoff.ts'

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

/** Least status with which an upstream may refuse a call for a time. */
const MIN_REFUSAL = 400

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
  #enteredAt: number
  /** Time of the last progress in the phase. */
  #phaseSince: number
  /** The clock's `stalledMs` at the start of the phase. */
  #stalledBefore: number
  /** Present while a body is sent. */
  #untaken: Untaken | undefined
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
    this.#enteredAt = this.#startedAt
    this.#phaseSince = this.#startedAt
    this.#stalledBefore = deps.clock.stalledMs()
    this.#watchdog = new Watchdog(
      deps.clock,
      () => this.#dueAt(),
      () => this.#late(),
    )
  }

  start(transport: Transport): void {
    this.#exchange.attempts += 1
    this.#exchange.client.listen(this.#onGone)
    try {
      this.#call = transport(asSent(this.#exchange, this.#span, this.#startedAt), this)
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
    const { status, early, headers } = reply
    const asked = status >= MIN_REFUSAL ? retryAfterMs(headers, this.#deps.clock.wallNow()) : 0
    this.#finish(status, undefined, early, asked)
    this.#resolve(reply)
  }

  failed(code: FaultCode, cause: unknown): void {
    const said = saidBy(cause)
    this.#finish(undefined, code, false, 0, said)
    this.#reject(new ProxyError(code, said && detailOf(code, said), { cause }))
  }

  #enter(phase: Phase): void {
    this.#leavePhase()
    this.#phase = phase
    this.#enteredAt = this.#deps.clock.now()
    const isUpload = phase === 'sending' && this.#exchange.body !== undefined
    this.#untaken = isUpload ? new Untaken(() => this.#call?.untaken() ?? 0, this.#enteredAt) : undefined
    this.#phaseSince = this.#enteredAt
    this.#stalledBefore = this.#deps.clock.stalledMs()
    if (this.#call !== undefined) this.#watchdog.watch()
  }

  /** The time for which the body was on its way does not count towards `total`. */
  #leavePhase(): void {
    if (this.#untaken === undefined) return
    this.#untaken = undefined
    extendTotal(this.#exchange, this.#deps.clock.now() - this.#enteredAt)
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
    const endsAt = Math.min(this.#phaseEndsAt(), this.#deadlineAt())
    return Math.min(endsAt, this.#untaken?.nextLookAt(this.#exchange.timeouts.idleMs) ?? endsAt)
  }

  /** Looks whether the upstream takes a body although nothing more was sent to it; gives up otherwise. */
  #late(): void {
    if (this.#untaken !== undefined) {
      const now = this.#deps.clock.now()
      if (this.#untaken.hasMoved(now)) this.#since()
      if (now < Math.min(this.#phaseEndsAt(), this.#deadlineAt())) return this.#watchdog.watch()
    }
    this.#giveUp(this.#lateness(), this.#stalledMs() > 0 ? 'sidecar' : undefined)
  }

  /** `total` does not run during an upload, which `idle` bounds. */
  #deadlineAt(): number {
    const { deadlineAt, deadlineFault, limitAt } = this.#exchange
    return this.#untaken !== undefined && deadlineFault === 'total_timeout' ? limitAt : deadlineAt
  }

  #lateness(): FaultCode {
    const { deadlineAt, deadlineFault, limitFault } = this.#exchange
    if (this.#deadlineAt() < this.#phaseEndsAt()) return this.#deadlineAt() === deadlineAt ? deadlineFault : limitFault
    if (this.#phase === 'connecting') return 'connect_timeout'
    if (this.#phase === 'waiting') return 'attempt_timeout'
    return this.#exchange.body?.starved ? 'client_stalled' : 'idle_timeout'
  }

  /** @param whose given where it differs from the fault's own. */
  #giveUp(code: FaultCode, whose?: Whose): void {
    this.#finish(undefined, code, false)
    this.#call?.abort()
    this.#reject(outOfTime(code, this.#exchange, whose))
  }

  #finish(
    status: number | undefined,
    reason: FaultCode | undefined,
    early: boolean,
    retryAfterMs = 0,
    said?: string,
  ): void {
    this.#over = true
    this.#leavePhase()
    this.#watchdog.stop()
    this.#exchange.client.unlisten(this.#onGone)
    const now = this.#deps.clock.now()
    const durationMs = now - this.#startedAt
    const { route: ref } = this.#exchange
    const headMs = this.#phase === 'waiting' ? now - this.#phaseSince - this.#stalledMs() : undefined
    if (headMs !== undefined) this.#exchange.headMs = headMs
    const outcome = status ?? reason ?? 'internal'
    remember(this.#exchange, {
      startedAt: this.#startedAt,
      ms: durationMs,
      headMs,
      outcome,
      early,
      endpoint: this.#endpoint,
      job: undefined,
      retryAfterMs,
      brokeMs: undefined,
      span: this.#span,
    })
    this.#deps.emit({ kind: 'attempt', ref, status, reason, said, durationMs, connectMs: this.#connectMs })
  }
}

/** What the client is told beyond the fault's title: only where that helps, and names no address. */
function detailOf(code: FaultCode, said: string): string | undefined {
  if (code === 'protocol') return `not HTTP: ${said}`
  return code === 'tls_certificate' || code === 'tls_protocol' ? said : undefined
}

/** The span id is 16 digits of a random UUID, without those that hold its version. */
const spanOf = ({ trace, target }: Exchange, origin: string, { newId }: Deps): AttemptSpan | undefined =>
  trace && { id: newId().replaceAll('-', '').slice(16), trace, origin, path: target.replace(/[?#].*$/s, '') }

/**
 * The exchange with the fields of this attempt: its `traceparent`, and the time that is left where the client gave one. Only
 * requests that need them pay for the copy.
 */
function asSent(exchange: Exchange, span: AttemptSpan | undefined, now: number): Exchange {
  const { clientTimeoutMs, deadlineAt, headers } = exchange
  if (span === undefined && clientTimeoutMs === undefined) return exchange
  const fields = clientTimeoutMs === undefined ? [...headers] : withoutFields(headers, TIMEOUT)
  if (clientTimeoutMs !== undefined) fields.push('x-request-timeout', String(secondsLeft(deadlineAt - now)))
  if (span !== undefined) fields.push('traceparent', `00-${span.trace.traceId}-${span.id}-${span.trace.flags}`)
  return fork(exchange, { headers: fields })
}

const TIMEOUT = new Set(['x-request-timeout'])

/** Never 0, which would count as no limit at the upstream. */
const secondsLeft = (ms: number) => Math.max(1, Math.floor(ms)) / 1000
