import type { Clock } from '../../clock.ts'
import { retryAfterMs } from '../../policy/retry/backoff.ts'
import { CollectorError, type Post } from './exporter.ts'
import { type Attributes, exportRequest } from './otlp.ts'

export type CollectorSettings = {
  /** Address of the OTLP/HTTP receiver with `/v1/traces`. */
  readonly url: string
  /** Headers of each call; secret. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** Timeout of one call in ms. */
  readonly timeoutMs: number
}

/** Statuses after which a batch may be sent again; no others (OTLP 1.x, "Failures"). */
const RETRYABLE = new Set([429, 502, 503, 504])
/** Largest part of an answer that is read, in bytes. */
const MAX_BYTES = 64 * 1024

/** Posts batches of spans. Does not follow redirects, since the headers are for the collector alone. */
export class Collector {
  readonly #settings: CollectorSettings
  readonly #resource: Attributes
  readonly #clock: Clock
  readonly #underWay = new Set<AbortController>()

  constructor(settings: CollectorSettings, resource: Attributes, clock: Clock) {
    this.#settings = settings
    this.#resource = resource
    this.#clock = clock
  }

  readonly post: Post = async (spans) => {
    const control = new AbortController()
    const timer = this.#clock.after(this.#settings.timeoutMs, () => control.abort())
    this.#underWay.add(control)
    try {
      return { rejected: await this.#call(exportRequest(spans, this.#resource), control.signal) }
    } catch (error) {
      if (error instanceof CollectorError) throw error
      throw new CollectorError(control.signal.aborted ? 'no answer in time' : reasonOf(error), { afterMs: 0 })
    } finally {
      this.#clock.cancel(timer)
      this.#underWay.delete(control)
    }
  }

  /** Ends calls under way. */
  close(): void {
    for (const control of this.#underWay) control.abort()
  }

  async #call(body: Buffer<ArrayBufferLike>, signal: AbortSignal): Promise<number> {
    const { url, headers } = this.#settings
    const response = await fetch(url, {
      method: 'POST',
      headers: [
        ...headers.map(([name, value]): [string, string] => [name, value]),
        ['content-type', 'application/json'],
      ],
      body,
      redirect: 'manual',
      signal,
    })
    if (response.ok) return rejectedIn(await textOf(response))
    await response.body?.cancel()
    const retryAfter = ['retry-after', response.headers.get('retry-after') ?? '']
    const retry = RETRYABLE.has(response.status)
      ? { afterMs: retryAfterMs(retryAfter, this.#clock.wallNow()) }
      : undefined
    throw new CollectorError(`status ${response.status}`, retry)
  }
}

async function textOf({ body }: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of body ?? []) {
    chunks.push(chunk)
    bytes += chunk.length
    if (bytes > MAX_BYTES) return ''
  }
  return Buffer.concat(chunks).toString()
}

/** Number of spans that the collector refused; other parts of its answer are ignored. */
function rejectedIn(text: string): number {
  const [, rejected] = /"rejectedSpans"\s*:\s*"?(\d+)/.exec(text) ?? []
  return Number(rejected ?? 0)
}

/** Code of a network error, without its message, which may hold an address or more. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined
  const code = typeof cause === 'object' && cause !== null && 'code' in cause ? cause.code : undefined
  return typeof code === 'string' ? code : 'no answer'
}
