/** Rewrites URLs in JSON bodies. The response head waits for the body, whose length it announces. */

import { type Clock, Watchdog } from '../../clock.ts'
import { type FaultCode, ProxyError } from '../../errors.ts'
import type { BodyEnd } from '../../events.ts'
import { fieldOf, firstField, type RawHeaders, withoutFields } from '../../net/fields.ts'
import { type BodySink, both, type Exchange, type Reply } from '../../policy/exchange.ts'
import { ReplyBase } from '../../policy/reply-base.ts'
import { WholeReply } from '../../policy/whole.ts'
import { withStrings } from './json.ts'
import { type Address, relocate, type Rewriting } from './rewrite.ts'

/** Statuses whose content is none, or a part of a representation. */
const WITHOUT_WHOLE_CONTENT: ReadonlySet<number> = new Set([204, 205, 206, 304])

/** Whether the body of a response may have URLs to rewrite: uncoded JSON that is not known to be larger than `inspect`. */
export function mayHaveUrls(reply: Reply, method: string, rewriting: Rewriting | undefined): rewriting is Rewriting {
  if (rewriting === undefined || rewriting.pointers.length === 0 || method === 'HEAD') return false
  if (reply.socket !== undefined || WITHOUT_WHOLE_CONTENT.has(reply.status)) return false
  const { headers } = reply
  const type = fieldOf(headers, 'content-type').split(';', 1).join('').trim().toLowerCase()
  const isUncoded = /^(?:identity)?$/i.test(fieldOf(headers, 'content-encoding').trim())
  const bytes = Number(firstField(headers, 'content-length') ?? 0)
  return isUncoded && (type === 'application/json' || type.endsWith('+json')) && bytes <= rewriting.inspectBytes
}

/**
 * Reads a body up to `inspect` and rewrites its URLs. A body that is larger, that is no JSON or that has no such URL passes
 * unchanged.
 * @param call its idle timeout and its client bound the wait.
 * @throws ProxyError when the body breaks off before the head is sent.
 */
export async function withRewrittenJson(
  reply: Reply,
  call: Pick<Exchange, 'client' | 'timeouts'>,
  { pointers, inspectBytes }: Rewriting,
  address: Address,
  clock: Clock,
): Promise<Reply> {
  const held = new HeldReply(reply, inspectBytes)
  if (!(await held.read(call, clock))) return held
  const body = withStrings(held.held, pointers, (url) => relocate(url, address))
  return body === undefined ? held : new WholeReply({ ...headOf(reply), headers: fieldsFor(body, reply.headers) }, body)
}

const headOf = ({ status, statusText }: Reply) => ({ status, statusText })

/** Fields that describe the bytes as the upstream sent them. */
const OF_THE_BYTES: ReadonlySet<string> = new Set([
  'accept-ranges',
  'content-digest',
  'content-length',
  'content-md5',
  'digest',
  'etag',
  'repr-digest',
  'trailer',
])

/** Fields of a changed body. Its entity tag is weak: the meaning is that of the upstream's body, the bytes are others. */
function fieldsFor(body: Buffer, headers: RawHeaders): string[] {
  const fields = withoutFields(headers, OF_THE_BYTES)
  const tag = fieldOf(headers, 'etag')
  if (tag !== '') fields.push('etag', tag.startsWith('"') ? `W/${tag}` : tag)
  fields.push('content-length', String(body.length))
  return fields
}

/** A reply whose body is read before its head is relayed. What was read is delivered first, the rest as it arrives. */
class HeldReply extends ReplyBase implements BodySink {
  readonly #reply: Reply
  readonly #limitBytes: number
  readonly #known = Promise.withResolvers<boolean>()
  #chunks: Buffer[] = []
  #bytes = 0
  #trailers: RawHeaders = []
  #sink: BodySink | undefined
  #onData: ((chunk: Buffer) => void) | undefined
  #onProgress = () => {}

  constructor(reply: Reply, limitBytes: number) {
    super()
    this.takeHead(reply)
    this.#reply = reply
    this.#limitBytes = limitBytes
  }

  get held(): Buffer {
    return Buffer.concat(this.#chunks)
  }

  /** @returns whether the whole body was read; false when it is larger than the limit. @throws ProxyError */
  async read({ client, timeouts }: Pick<Exchange, 'client' | 'timeouts'>, clock: Clock): Promise<boolean> {
    let progressAt = clock.now()
    let stalledBefore = clock.stalledMs()
    this.#onProgress = () => {
      progressAt = clock.now()
      stalledBefore = clock.stalledMs()
    }
    const giveUp = (end: BodyEnd, error: ProxyError) => {
      this.discard(end)
      this.#known.reject(error)
    }
    const watchdog = new Watchdog(
      clock,
      () => progressAt + timeouts.idleMs,
      () => {
        const isOurs = clock.stalledMs() > stalledBefore
        const error = new ProxyError('idle_timeout', undefined, isOurs ? { whose: 'sidecar' } : {})
        giveUp(isOurs ? 'cancelled' : 'idle_timeout', error)
      },
    )
    const onGone = () =>
      giveUp(client.goneAs === 'client_gone' ? 'cancelled' : client.goneAs, new ProxyError(client.goneAs))
    client.listen(onGone)
    watchdog.watch()
    this.#reply.pipe(this)
    try {
      return await this.#known.promise
    } finally {
      watchdog.stop()
      client.unlisten(onGone)
    }
  }

  data(chunk: Buffer): boolean {
    this.#onData?.(chunk)
    if (this.#sink !== undefined) return this.#sink.data(chunk)
    this.#onProgress()
    this.#chunks.push(chunk)
    this.#bytes += chunk.length
    if (this.#bytes <= this.#limitBytes) return true
    this.#known.resolve(false)
    return false
  }

  end(trailers: RawHeaders): void {
    this.#trailers = trailers
    this.#sink?.end(trailers)
    this.close('complete')
    this.#known.resolve(this.#bytes <= this.#limitBytes)
  }

  fail(code: FaultCode): void {
    this.#sink?.fail(code)
    this.close(code)
    this.#known.reject(new ProxyError(code))
  }

  pipe(sink: BodySink): void {
    const chunks = this.#chunks
    this.#chunks = []
    this.#sink = sink
    let isFlowing = true
    for (const chunk of chunks) isFlowing = sink.data(chunk)
    if (this.ended) this.passEnd(sink, this.#trailers)
    else if (isFlowing) this.resume()
  }

  resume(): void {
    if (!this.ended) this.#reply.resume()
  }

  discard(end: BodyEnd): void {
    if (this.ended) return
    this.#reply.discard(end)
    this.close(end)
  }

  watch(onData: (chunk: Buffer) => void): void {
    for (const chunk of this.#chunks) onData(chunk)
    this.#onData = both(this.#onData, onData)
  }
}
