/** Makes a span of each recorded request and of each attempt made for it. */

import type { Clock } from '../../clock.ts'
import { type FaultCode, faultOf } from '../../errors.ts'
import type { Event, RequestEvent, Trace } from '../../events.ts'
import { hostname } from '../../net/loopback.ts'
import type { Attributes, Span, SpanEvent } from './otlp.ts'

/** Largest number of events in one span: a download may be resumed without end. */
const MAX_EVENTS = 128
/** Longest path in characters. */
const MAX_PATH = 1_024

/** An attempt of a recorded request. */
type Recorded = Attempt & { readonly span: NonNullable<Attempt['span']> }
type Attempt = RequestEvent['history'][number]

/** Methods that HTTP knows. Others share one name, since span names must be few (semantic conventions for HTTP). */
const METHODS = new Set(['CONNECT', 'DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT', 'QUERY', 'TRACE'])

/**
 * A fold that keeps the events of a request until its end. Attributes follow the semantic conventions for HTTP 1.x, with
 * `breakwater.*` for the rest. No query, header or body.
 */
export class Spans {
  readonly #clock: Clock
  readonly #take: (span: Span) => void
  /** Events at monotonic ms, kept until the end of their request. */
  readonly #events = new WeakMap<Trace, SpanEvent[]>()
  /** An attempt may belong to several requests. It becomes one span. */
  readonly #exported = new WeakSet<Recorded>()

  constructor(clock: Clock, take: (span: Span) => void) {
    this.#clock = clock
    this.#take = take
  }

  record(event: Event): void {
    if (event.kind === 'request') return this.#end(event)
    if (!('trace' in event) || event.trace === undefined) return
    const events = this.#events.get(event.trace) ?? []
    if (events.length === 0) this.#events.set(event.trace, events)
    if (events.length < MAX_EVENTS) {
      events.push({ name: event.kind, at: this.#clock.now(), attributes: attributesOf(event) })
    }
  }

  #end(event: RequestEvent): void {
    const wallOffset = this.#clock.wallNow() - this.#clock.now()
    const made = event.history.filter((one): one is Recorded => one.span !== undefined)
    const inOrder = made.toSorted((a, b) => a.startedAt - b.startedAt)
    const firsts = new Map<Trace, number>()
    for (const attempt of inOrder) {
      const sent = firsts.get(attempt.span.trace) ?? 0
      firsts.set(attempt.span.trace, sent + 1)
      if (this.#exported.has(attempt)) continue
      this.#exported.add(attempt)
      this.#take(this.#attemptSpan(attempt, sent, event, wallOffset))
    }
    if (event.trace !== undefined) this.#take(this.#requestSpan(event, event.trace, inOrder, wallOffset))
  }

  #requestSpan(event: RequestEvent, trace: Trace, attempts: readonly Recorded[], wallOffset: number): Span {
    const { ref, reason, status, firstByteMs } = event
    const [, route] = ref?.route.split(' ') ?? []
    const startedAt = event.startedAt + wallOffset
    const isError = reason === undefined ? status >= 500 : faultOf(reason).status >= 500
    return {
      traceId: trace.traceId,
      spanId: trace.spanId,
      parentId: trace.parentId,
      kind: 'server',
      name: nameOf(event.method, route),
      startedAt,
      endedAt: startedAt + event.totalMs,
      attributes: {
        ...methodOf(event.method),
        'url.path': event.path.slice(0, MAX_PATH),
        'url.scheme': 'http',
        'http.route': route,
        'http.response.status_code': firstByteMs === undefined ? undefined : status,
        'error.type': isError ? (reason ?? String(status)) : undefined,
        'http.request.body.size': event.bytesIn || undefined,
        'http.response.body.size': event.bytesOut || undefined,
        'breakwater.upstream': ref?.upstream,
        'breakwater.route': ref?.route,
        'breakwater.request_id': event.id || undefined,
        'breakwater.reason': reason,
        'breakwater.attempts': event.attempts,
        'breakwater.queue_ms': event.queueMs,
        'breakwater.backoff_ms': event.backoffMs,
        'breakwater.first_byte_ms': firstByteMs,
      },
      events: (this.#events.get(trace) ?? []).map(({ at, ...what }) => ({ ...what, at: at + wallOffset })),
      links: attempts
        .filter(({ span }) => span.trace !== trace)
        .map(({ span }) => ({ traceId: span.trace.traceId, spanId: span.id })),
      error: isError && reason !== undefined ? faultOf(reason).title : isError ? '' : undefined,
    }
  }

  /** @param sent how often the request had been sent before. */
  #attemptSpan(attempt: Recorded, sent: number, { method, ref }: RequestEvent, wallOffset: number): Span {
    const { span, outcome, job } = attempt
    const { host, port, protocol } = new URL(span.origin)
    const startedAt = attempt.startedAt + wallOffset
    const isError = isFailure(outcome)
    return {
      traceId: span.trace.traceId,
      spanId: span.id,
      parentId: span.trace.spanId,
      kind: 'client',
      name: nameOf(method, undefined),
      startedAt,
      endedAt: startedAt + attempt.ms,
      attributes: {
        ...methodOf(method),
        'url.full': span.origin + span.path.slice(0, MAX_PATH),
        // Without brackets: those belong to URLs only.
        'server.address': hostname(host),
        'server.port': Number(port) || (protocol === 'https:' ? 443 : 80),
        'network.protocol.version': '1.1',
        'http.response.status_code': typeof outcome === 'number' ? outcome : undefined,
        'http.request.resend_count': sent === 0 ? undefined : sent,
        'error.type': isError ? String(outcome) : undefined,
        'breakwater.upstream': ref?.upstream,
        'breakwater.reason': typeof outcome === 'number' ? undefined : outcome,
        'breakwater.job': job,
      },
      events: [],
      links: [],
      error: isError ? (typeof outcome === 'number' ? '' : faultOf(outcome).title) : undefined,
    }
  }
}

/** Whether an attempt is an error: every 4xx is one to a client; an attempt that nobody waited for is none. */
const isFailure = (outcome: number | FaultCode) =>
  typeof outcome === 'number' ? outcome >= 400 : faultOf(outcome).status !== 499

const nameOf = (method: string, route: string | undefined) =>
  [METHODS.has(method) ? method : 'HTTP', route].filter((part) => part !== undefined).join(' ')

const methodOf = (method: string): Attributes =>
  METHODS.has(method)
    ? { 'http.request.method': method }
    : { 'http.request.method': '_OTHER', 'http.request.method_original': method.slice(0, MAX_PATH) }

type TracedEvent = Exclude<Extract<Event, { readonly trace: Trace | undefined }>, RequestEvent>

function attributesOf(event: TracedEvent): Attributes {
  switch (event.kind) {
    case 'retry':
      return { 'breakwater.cause': event.cause, 'breakwater.wait_ms': event.waitMs }
    case 'retry_denied':
      return { 'breakwater.why': event.why }
    case 'resume':
      return { 'breakwater.resumed': event.resumed }
    case 'shared':
      return { 'breakwater.by': event.by }
    case 'hedge':
      return { 'breakwater.outcome': event.outcome }
    case 'breaker': {
      const { route, endpoint, from, to, cause } = event
      return {
        'breakwater.breaker.route': route,
        'breakwater.breaker.endpoint': endpoint,
        'breakwater.breaker.from': from,
        'breakwater.breaker.to': to,
        'breakwater.cause': cause,
      }
    }
    case 'stale_connection':
      return {}
    default:
      return event satisfies never
  }
}
