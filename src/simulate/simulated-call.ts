import type { Clock, Timer } from '../clock.ts'
import type { FaultCode } from '../errors.ts'
import type { BodySink, Call, CallWatch } from '../policy/exchange.ts'
import { ReplyBase } from '../policy/reply-base.ts'
import type { BodyEnd } from '../events.ts'
import type { RawHeaders } from '../net/fields.ts'

/** Behaviour of an upstream for one call. Times in ms. */
export type Answer =
  | {
      readonly kind: 'reply'
      /** Time to connect; 0 for a reused connection. */
      readonly connectMs: number
      /** From the start of the call to the response head. */
      readonly afterMs: number
      readonly status: number
      /** Whether the head comes before the whole request is sent. */
      readonly early: boolean
      readonly headers: RawHeaders
      /** Body that arrives with the head; '' for none that matters. */
      readonly body: string
      /** From the head to the end of the body. */
      readonly bodyMs: number
      readonly bodyEnd: 'complete' | FaultCode
    }
  | { readonly kind: 'fault'; readonly connectMs: number; readonly afterMs: number; readonly code: FaultCode }
  /** It never answers. @prop in phase that the call reaches. */
  | { readonly kind: 'silence'; readonly connectMs: number; readonly in: 'connecting' | 'sending' | 'waiting' }

export type SimulatedReply = Extract<Answer, { kind: 'reply' }>

/** How a call ends that does not hang. */
export type Ended = Exclude<Answer, { kind: 'silence' }>

const NOTHING: Buffer = Buffer.alloc(0)
const NO_FIELDS: RawHeaders = []
const JSON_FIELDS: RawHeaders = ['content-type', 'application/json']

/** A whole response on an existing connection. @param body JSON; '' for none that matters. */
export const simulatedReply = (status: number, afterMs: number, body = ''): SimulatedReply => ({
  kind: 'reply',
  connectMs: 0,
  afterMs,
  status,
  early: false,
  headers: body === '' ? NO_FIELDS : JSON_FIELDS,
  body,
  bodyMs: 0,
  bodyEnd: 'complete',
})

/** Plays an answer on the clock as the transport does on the wire: first a Call, then the Reply. */
export class SimulatedCall extends ReplyBase implements Call {
  readonly #watch: CallWatch
  readonly #clock: Clock
  #data = NOTHING
  #timer: Timer | undefined
  #sink: BodySink | undefined

  /** @param answer a promised one comes on an existing connection; its times count from when it is known. */
  constructor(answer: Answer | Promise<Ended>, watch: CallWatch, clock: Clock) {
    super()
    this.#watch = watch
    this.#clock = clock
    if (answer instanceof Promise) {
      this.#fallSilent({ kind: 'silence', connectMs: 0, in: 'waiting' })
      void answer.then((ended) => this.#await(ended))
    } else if (answer.connectMs > 0) this.#timer = clock.after(answer.connectMs, () => this.#connected(answer))
    else this.#connected(answer)
  }

  abort(): void {
    this.discard('cancelled')
  }

  untaken(): number {
    return 0
  }

  discard(end: BodyEnd): void {
    if (this.ended) return
    if (this.#timer !== undefined) this.#clock.cancel(this.#timer)
    this.close(end)
  }

  pipe(sink: BodySink): void {
    this.#sink = sink
    if (this.#data.length > 0) sink.data(this.#data)
    this.passEnd(sink, [])
  }

  resume(): void {}

  watch(onData: (chunk: Buffer) => void): void {
    if (this.#data.length > 0) onData(this.#data)
  }

  #connected(answer: Answer): void {
    this.#timer = undefined
    if (answer.kind === 'silence') return this.#fallSilent(answer)
    this.#await(answer)
    if (answer.kind === 'fault' && BEFORE_CONNECTED.has(answer.code)) return
    this.#watch.started(answer.connectMs > 0 ? answer.connectMs : undefined)
    this.#watch.sent()
  }

  #await(answer: Ended): void {
    if (this.ended) return
    const leftMs = Math.max(0, answer.afterMs - answer.connectMs)
    this.#timer = this.#clock.after(leftMs, () =>
      answer.kind === 'reply' ? this.#head(answer) : this.#fail(answer.code),
    )
  }

  #fallSilent(answer: Extract<Answer, { kind: 'silence' }>): void {
    if (answer.in === 'connecting') return
    this.#watch.started(answer.connectMs > 0 ? answer.connectMs : undefined)
    if (answer.in === 'waiting') this.#watch.sent()
  }

  #fail(code: FaultCode): void {
    this.close(code)
    this.#watch.failed(code, undefined)
  }

  #head(answer: SimulatedReply): void {
    this.#timer = undefined
    this.takeHead({ statusText: '', ...answer })
    if (answer.body !== '') this.#data = Buffer.from(answer.body)
    if (answer.bodyMs > 0) this.#timer = this.#clock.after(answer.bodyMs, () => this.#finish(answer.bodyEnd))
    else this.close(answer.bodyEnd)
    this.#watch.head(this)
  }

  #finish(end: 'complete' | FaultCode): void {
    if (end === 'complete') this.#sink?.end([])
    else this.#sink?.fail(end)
    this.close(end)
  }
}

/** Faults before there is a connection. */
const BEFORE_CONNECTED: ReadonlySet<FaultCode> = new Set([
  'dns_error',
  'connect_refused',
  'unreachable',
  'connect_timeout',
  'tls_protocol',
  'tls_certificate',
])
