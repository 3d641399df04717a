/** Whole bodies: of a response for several clients, and of a request for several calls. */

import { type Clock, Watchdog } from '../clock.ts'
import { ProxyError } from '../errors.ts'
import type { BodyFeed, BodyReceiver, BodySink, Exchange, Reply, RequestBody } from './exchange.ts'
import { ReplyBase } from './reply-base.ts'

/**
 * Reads the whole body of a response that is not relayed. Gives up a body without progress for `idle`, and one that no client
 * waits for.
 * @param call the exchange that the response answers: its idle timeout and client bound the wait.
 * @returns undefined when the body is larger than `limitBytes`, or the response switches protocols. @throws ProxyError when the
 * body breaks off.
 */
export function wholeBody(
  reply: Reply,
  limitBytes: number,
  { client, timeouts }: Pick<Exchange, 'client' | 'timeouts'>,
  clock: Clock,
): Promise<Buffer | undefined> {
  if (reply.socket !== undefined) return Promise.resolve(undefined)
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let bytes = 0
    let progressAt = clock.now()
    let stalledBefore = clock.stalledMs()
    let late: ProxyError | undefined
    const watchdog = new Watchdog(
      clock,
      () => progressAt + timeouts.idleMs,
      () => {
        const isOurs = clock.stalledMs() > stalledBefore
        late = new ProxyError('idle_timeout', undefined, isOurs ? { whose: 'sidecar' } : {})
        reply.discard(isOurs ? 'cancelled' : 'idle_timeout')
      },
    )
    const onGone = () => reply.discard(client.goneAs === 'client_gone' ? 'cancelled' : client.goneAs)
    const stop = () => {
      watchdog.stop()
      client.unlisten(onGone)
    }
    client.listen(onGone)
    watchdog.watch()
    reply.watch((chunk) => {
      progressAt = clock.now()
      stalledBefore = clock.stalledMs()
      bytes += chunk.length
      if (bytes <= limitBytes) return void chunks.push(chunk)
      stop()
      resolve(undefined)
    })
    reply.onClosed((end) => {
      stop()
      if (end === 'complete') resolve(Buffer.concat(chunks))
      else reject(late ?? new ProxyError(end === 'cancelled' ? client.goneAs : end))
    })
    if (client.gone) onGone()
  })
}

/**
 * Reads a request's whole body. Waits at most `ms`, and `idleMs` without progress.
 * @returns undefined when it is larger than the limit, of unknown length, or broke off. @throws ProxyError `client_stalled`
 */
export function receivedWithin(ms: number, idleMs: number, body: RequestBody, limitBytes: number, clock: Clock) {
  return new Promise<Buffer | undefined>((resolve, reject) => {
    const untilAt = clock.now() + ms
    let progressAt = clock.now()
    const dueAt = () => Math.min(untilAt, progressAt + idleMs)
    const watchdog = new Watchdog(clock, dueAt, () => reject(new ProxyError('client_stalled')))
    watchdog.watch()
    const onProgress = () => {
      progressAt = clock.now()
    }
    void body.peek(limitBytes, onProgress).then((bytes) => {
      watchdog.stop()
      resolve(bytes)
    }, reject)
  })
}

/** A response whose body has arrived whole. */
export class WholeReply extends ReplyBase {
  readonly #body: Buffer

  constructor({ status, statusText, headers }: Pick<Reply, 'status' | 'statusText' | 'headers'>, body: Buffer) {
    super()
    this.takeHead({ status, statusText, headers })
    this.#body = body
    this.close('complete')
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
}

/** A request body for a call of its own, independent of the client that sent it. */
export class WholeRequestBody implements RequestBody {
  readonly #bytes: Buffer
  readonly replayable = true
  readonly complete = true
  readonly starved = false

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get received(): number {
    return this.#bytes.length
  }

  peek(limitBytes: number): Promise<Buffer | undefined> {
    return Promise.resolve(this.#bytes.length <= limitBytes ? this.#bytes : undefined)
  }

  open(receiver: BodyReceiver): BodyFeed {
    let hasEnded = false
    const end = () => {
      if (!hasEnded) receiver.end()
      hasEnded = true
    }
    if (this.#bytes.length === 0 || receiver.data(this.#bytes)) end()
    return {
      resume: end,
      stop: () => {
        hasEnded = true
      },
    }
  }

  commit(): void {}
}
