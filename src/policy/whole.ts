/** Whole bodies: of a response for several clients, and of a request for several calls. */

import { type Clock, Watchdog } from '../clock.ts'
import { ProxyError } from '../errors.ts'
import type { BodyEnd } from '../events.ts'
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
  call: Pick<Exchange, 'client' | 'timeouts'>,
  clock: Clock,
): Promise<Buffer | undefined> {
  if (reply.socket !== undefined) return Promise.resolve(undefined)
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let bytes = 0
    let givenUp: ProxyError | undefined
    const wait = waitForBody(call, clock, (end, error) => {
      givenUp = error
      reply.discard(end)
    })
    reply.watch((chunk) => {
      wait.progressed()
      bytes += chunk.length
      if (bytes <= limitBytes) {
        chunks.push(chunk)
        // A reply that nobody pipes stops reading at a bound of its own.
        return queueMicrotask(() => reply.resume())
      }
      wait.stop()
      resolve(undefined)
    })
    reply.onClosed((end) => {
      wait.stop()
      if (end === 'complete') resolve(Buffer.concat(chunks))
      else reject(givenUp ?? new ProxyError(end === 'cancelled' ? call.client.goneAs : end))
    })
    if (call.client.gone) wait.giveUpWithClient()
  })
}

/**
 * Bounds the wait for a body that is not relayed: it is given up without progress for `idle`, and when its client is gone. The
 * upstream is not blamed for a time in which the process was paused.
 * @param giveUp called at most once until `stop`.
 */
export function waitForBody(
  { client, timeouts }: Pick<Exchange, 'client' | 'timeouts'>,
  clock: Clock,
  giveUp: (end: BodyEnd, error: ProxyError) => void,
) {
  let progressAt = clock.now()
  let stalledBefore = clock.stalledMs()
  const watchdog = new Watchdog(
    clock,
    () => progressAt + timeouts.idleMs,
    () => {
      const isOurs = clock.stalledMs() > stalledBefore
      const error = new ProxyError('idle_timeout', undefined, isOurs ? { whose: 'sidecar' } : {})
      giveUp(isOurs ? 'cancelled' : 'idle_timeout', error)
    },
  )
  const giveUpWithClient = () =>
    giveUp(client.goneAs === 'client_gone' ? 'cancelled' : client.goneAs, new ProxyError(client.goneAs))
  client.listen(giveUpWithClient)
  watchdog.watch()
  return {
    progressed: () => {
      progressAt = clock.now()
      stalledBefore = clock.stalledMs()
    },
    giveUpWithClient,
    stop: () => {
      watchdog.stop()
      client.unlisten(giveUpWithClient)
    },
  }
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
