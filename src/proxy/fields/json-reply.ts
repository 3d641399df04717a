/** Rewrites URLs in JSON bodies. The response head waits for the body, whose length it announces. */

import type { Clock } from '../../clock.ts'
import { type FaultCode, ProxyError } from '../../errors.ts'
import type { BodyEnd } from '../../events.ts'
import { fieldOf, firstField, type RawHeaders, withoutFields } from '../../net/fields.ts'
import type { BodySink, Exchange, Reply } from '../../policy/exchange.ts'
import { HeldReply } from '../../policy/held-reply.ts'
import { waitForBody, WholeReply } from '../../policy/whole.ts'
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
  const read = new ReadReply(reply, inspectBytes)
  if (!(await read.read(call, clock))) return read
  const body = withStrings(read.bytes, pointers, (url) => relocate(url, address))
  return body === undefined ? read : new WholeReply({ ...headOf(reply), headers: fieldsFor(body, reply.headers) }, body)
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
class ReadReply extends HeldReply implements BodySink {
  readonly #reply: Reply
  readonly #limitBytes: number
  readonly #known = Promise.withResolvers<boolean>()
  #heldBytes = 0
  #onProgress = () => {}

  constructor(reply: Reply, limitBytes: number) {
    super()
    this.takeHead(reply)
    this.#reply = reply
    this.#limitBytes = limitBytes
  }

  /** The body as far as it was read. */
  get bytes(): Buffer {
    return Buffer.concat(this.held)
  }

  /** @returns whether the whole body was read; false when it is larger than the limit. @throws ProxyError */
  async read(call: Pick<Exchange, 'client' | 'timeouts'>, clock: Clock): Promise<boolean> {
    const wait = waitForBody(call, clock, (end, error) => {
      this.discard(end)
      this.#known.reject(error)
    })
    this.#onProgress = wait.progressed
    this.#reply.pipe(this)
    try {
      return await this.#known.promise
    } finally {
      wait.stop()
    }
  }

  data(chunk: Buffer): boolean {
    const takesMore = this.deliver(chunk)
    if (takesMore !== undefined) return takesMore
    this.#onProgress()
    this.#heldBytes += chunk.length
    if (this.#heldBytes <= this.#limitBytes) return true
    this.#known.resolve(false)
    return false
  }

  end(trailers: RawHeaders): void {
    this.complete(trailers)
    this.#known.resolve(this.#heldBytes <= this.#limitBytes)
  }

  fail(code: FaultCode): void {
    this.breakOff(code)
    this.#known.reject(new ProxyError(code))
  }

  resume(): void {
    if (!this.ended) this.#reply.resume()
  }

  discard(end: BodyEnd): void {
    if (this.ended) return
    this.#reply.discard(end)
    this.close(end)
  }
}
