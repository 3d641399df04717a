import type { Timer } from '../clock.ts'
import { type FaultCode, ProxyError } from '../errors.ts'
import { LOOKED_AT, statusIn } from './classify.ts'
import type { BodyEnd, BodySink, ClientLink, Deps, Exchange, Layer, RawHeaders, Reply, Send } from './exchange.ts'

export type HoldSettings = {
  /** JSON Pointer (RFC 6901) to the status in the body. */
  readonly json: string
  /** While the status is one of these the job goes on, and so does the hold. */
  readonly pending: ReadonlySet<string>
  /** The longest hold, in ms; the exchange's deadline may make it shorter. */
  readonly upToMs: number
  /** Between two polls of the upstream, in ms. */
  readonly everyMs: number
}

/** The polls under way, by what they ask for. */
export type Polls = Map<string, Poll>

/**
 * Answers a poll when there is something to say: polls the upstream itself until the job's status leaves the list or the
 * time is up, then passes the newest response on as it is. Those who ask the same share one poll. Stands around
 * everything that an upstream is protected by, so that a hold takes up none of it while it waits.
 */
export const holding =
  (settings: HoldSettings, polls: Polls, deps: Deps): Layer =>
  (next) =>
  (exchange) => {
    if (exchange.method !== 'GET') return next(exchange)
    const key = sameness(exchange)
    const known = polls.get(key)
    const poll = known ?? new Poll(settings, exchange, next, () => void polls.delete(key), deps)
    if (known === undefined) polls.set(key, poll)
    return poll.join(exchange)
  }

/** What came of one poll: a response with its whole body, or that there was none. */
type Held = { readonly reply: Reply; readonly body: Buffer }

type Sharer = {
  readonly exchange: Exchange
  /** Monotonic ms at which it is told the newest, whatever that is. */
  readonly untilAt: number
  readonly resolve: (reply: Reply) => void
  readonly reject: (error: unknown) => void
  readonly onGone: () => void
  timer: Timer | undefined
}

class Poll implements ClientLink {
  readonly #settings: HoldSettings
  readonly #model: Exchange
  readonly #next: Send
  readonly #over: () => void
  readonly #deps: Deps
  readonly #sharers = new Set<Sharer>()
  readonly #listeners: (() => void)[] = []
  #attempts = 0
  #latest: Held | undefined
  #wait: Timer | undefined
  gone = false

  constructor(settings: HoldSettings, model: Exchange, next: Send, over: () => void, deps: Deps) {
    this.#settings = settings
    this.#model = model
    this.#next = next
    this.#over = over
    this.#deps = deps
    // After whoever began it has joined.
    queueMicrotask(() => void this.#ask())
  }

  join(exchange: Exchange): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const { clock } = this.#deps
      const untilAt = Math.min(clock.now() + this.#settings.upToMs, exchange.deadlineAt)
      const onGone = () => this.#drop(sharer, () => reject(new ProxyError('client_gone')))
      const sharer: Sharer = { exchange, untilAt, resolve, reject, onGone, timer: undefined }
      this.#sharers.add(sharer)
      exchange.client.listen(onGone)
      this.#arm(sharer, untilAt)
    })
  }

  listen(onGone: () => void): void {
    this.#listeners.push(onGone)
  }

  unlisten(onGone: () => void): void {
    const at = this.#listeners.lastIndexOf(onGone)
    if (at >= 0) this.#listeners.splice(at, 1)
  }

  inform(status: number, headers: RawHeaders): void {
    for (const { exchange } of this.#sharers) exchange.client.inform(status, headers)
  }

  #arm(sharer: Sharer, at: number): void {
    const { clock } = this.#deps
    sharer.timer = clock.after(at - clock.now(), () => {
      if (this.#latest !== undefined) return this.#tell(sharer, this.#latest)
      if (clock.now() < sharer.exchange.deadlineAt) return this.#arm(sharer, sharer.exchange.deadlineAt)
      this.#drop(sharer, () => sharer.reject(new ProxyError(sharer.exchange.deadlineFault)))
    })
  }

  async #ask(): Promise<void> {
    this.#wait = undefined
    const startedAt = this.#deps.clock.now()
    const deadlineAt = Math.max(startedAt, ...[...this.#sharers].map(({ exchange }) => exchange.deadlineAt))
    const exchange: Exchange = { ...this.#model, client: this, startedAt, deadlineAt, attempts: 0 }
    try {
      const reply = await this.#next(exchange)
      const body = await wholeBody(reply)
      this.#attempts += exchange.attempts
      if (body === undefined) return this.#passOn(reply)
      this.#latest = { reply, body }
      const status = statusIn(reply, body, this.#settings.json)
      if (status === undefined || !this.#settings.pending.has(status)) return this.#end(this.#latest)
    } catch (error) {
      this.#attempts += exchange.attempts
      if (!(error instanceof ProxyError) || this.#latest === undefined) return this.#fail(error)
      // The newest response is still the newest; the next poll may fare better.
    }
    if (this.#sharers.size > 0) this.#wait = this.#deps.clock.after(this.#settings.everyMs, () => void this.#ask())
  }

  #end(held: Held): void {
    for (const sharer of [...this.#sharers]) this.#tell(sharer, held)
  }

  #fail(error: unknown): void {
    for (const sharer of [...this.#sharers]) this.#drop(sharer, () => sharer.reject(error))
  }

  /** A body that is too large to be held is no status report: it goes to one of them, the others ask for themselves. */
  #passOn(reply: Reply): void {
    const [first, ...others] = [...this.#sharers]
    if (first === undefined) return reply.discard('cancelled')
    first.exchange.attempts = this.#attempts
    this.#drop(first, () => first.resolve(reply))
    for (const other of others)
      this.#drop(other, () => void this.#next(other.exchange).then(other.resolve, other.reject))
  }

  #tell(sharer: Sharer, held: Held): void {
    sharer.exchange.attempts = this.#attempts
    this.#drop(sharer, () => sharer.resolve(new HeldReply(held)))
  }

  #drop(sharer: Sharer, then: () => void): void {
    if (!this.#sharers.delete(sharer)) return
    if (sharer.timer !== undefined) this.#deps.clock.cancel(sharer.timer)
    sharer.exchange.client.unlisten(sharer.onGone)
    then()
    if (this.#sharers.size > 0) return
    this.#over()
    this.gone = true
    if (this.#wait !== undefined) this.#deps.clock.cancel(this.#wait)
    for (const onGone of [...this.#listeners]) onGone()
  }
}

/** A response that has arrived whole, for each of those who asked. */
class HeldReply implements Reply {
  readonly #body: Buffer
  readonly status: number
  readonly statusText: string
  readonly headers: RawHeaders
  readonly socket = undefined
  readonly early = false
  readonly ended = true

  constructor({ reply, body }: Held) {
    this.#body = body
    this.status = reply.status
    this.statusText = reply.statusText
    this.headers = reply.headers
  }

  pipe(sink: BodySink): void {
    if (this.#body.length > 0) sink.data(this.#body)
    sink.end([])
  }

  resume(): void {}

  discard(): void {}

  watch(onData: (chunk: Buffer) => void): void {
    onData(this.#body)
  }

  onClosed(closed: (end: BodyEnd) => void): void {
    closed('complete')
  }
}

/** @returns undefined when it is too large, or switches protocols. @throws ProxyError when it breaks off. */
function wholeBody(reply: Reply): Promise<Buffer | undefined> {
  if (reply.socket !== undefined) return Promise.resolve(undefined)
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let bytes = 0
    reply.watch((chunk) => {
      bytes += chunk.length
      if (bytes <= LOOKED_AT) chunks.push(chunk)
      else resolve(undefined)
    })
    reply.onClosed((end) => {
      if (end === 'complete') resolve(Buffer.concat(chunks))
      else reject(new ProxyError(end === 'cancelled' ? 'client_gone' : (end satisfies FaultCode)))
    })
  })
}

/** Fields that are another one with each request and say nothing of what is asked for. */
const OF_THE_REQUEST = new Set([
  'x-request-timeout',
  'x-request-id',
  'traceparent',
  'tracestate',
  'x-forwarded-for',
  'user-agent',
  'via',
])

/** Two exchanges with the same are answered alike. */
function sameness({ target, headers }: Exchange): string {
  const fields = headers.flatMap((name, i) =>
    i % 2 === 1 || OF_THE_REQUEST.has(name.toLowerCase()) ? [] : [`${name.toLowerCase()}: ${headers[i + 1]}`],
  )
  return [target, ...fields.sort()].join('\n')
}
