import { createServer, type IncomingHttpHeaders } from 'node:http'
import { listening } from './ports.ts'
import type { Scope } from './scripted-upstream.ts'

type Value = string | number | boolean
type Values = Readonly<Record<string, Value>>

/** A span as a backend would read it. Times in ns. */
export type ReceivedSpan = {
  readonly traceId: string
  readonly spanId: string
  /** '' for the root span of a trace. */
  readonly parentId: string
  readonly name: string
  readonly kind: number
  readonly start: bigint
  readonly end: bigint
  readonly attributes: Values
  readonly events: readonly { readonly name: string; readonly at: bigint; readonly attributes: Values }[]
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[]
  readonly status: { readonly code: number; readonly message: string }
}

/** The receiver's answer to one call; `hang` means none. */
export type Reception =
  | { readonly status: number; readonly headers?: Record<string, string>; readonly body?: string }
  | 'hang'

export type OtlpReceiver = {
  /** The value for `tracing.endpoint`. */
  readonly endpoint: string
  /** Spans of the batches that were answered with 200, in order of arrival. */
  readonly spans: readonly ReceivedSpan[]
  readonly calls: readonly { readonly path: string; readonly headers: IncomingHttpHeaders; readonly resource: Values }[]
  /** Resolves when the n-th call (from 1) has been received. */
  called(n: number): Promise<void>
}

/** A collector on a real socket for OTLP/HTTP as JSON. Malformed data throws. The last scene is repeated. */
export async function otlpReceiver(t: Scope, scenes: readonly Reception[] = [{ status: 200 }]): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = []
  const calls: OtlpReceiver['calls'][number][] = []
  const watchers: (() => void)[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { url: path = '', headers, method } = request
      const scene = scenes[Math.min(calls.length, scenes.length - 1)] ?? 'hang'
      const { batch, resource } = read(JSON.parse(Buffer.concat(chunks).toString()))
      if (method !== 'POST' || headers['content-type'] !== 'application/json') throw new Error('no OTLP call')
      calls.push({ path, headers, resource })
      if (scene !== 'hang') {
        if (scene.status === 200) spans.push(...batch)
        response.writeHead(scene.status, { 'content-type': 'application/json', ...scene.headers })
        response.end(scene.body ?? '{"partialSuccess":{}}')
      }
      for (const watch of watchers.splice(0)) watch()
    })
  })
  const port = await listening(server)
  t.onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return {
    endpoint: `http://127.0.0.1:${port}`,
    spans,
    calls,
    called: async (n) => {
      while (calls.length < n) await new Promise<void>((resolve) => void watchers.push(resolve))
    },
  }
}

type Json = { readonly [key: string]: Json } & readonly Json[]

function read(body: Json) {
  const [group, ...others] = body.resourceSpans ?? []
  const [scope, ...scopes] = group?.scopeSpans ?? []
  if (group === undefined || scope === undefined || others.length + scopes.length > 0)
    throw new Error('one group expected')
  return { resource: values(group.resource?.attributes), batch: (scope.spans ?? []).map(readSpan) }
}

function readSpan(span: Json): ReceivedSpan {
  const name = string(span.name)
  return {
    traceId: id(span.traceId, 32),
    spanId: id(span.spanId, 16),
    parentId: span.parentSpanId === undefined ? '' : id(span.parentSpanId, 16),
    name,
    kind: Number(span.kind),
    start: time(span.startTimeUnixNano),
    end: time(span.endTimeUnixNano),
    attributes: values(span.attributes),
    events: (span.events ?? []).map((event) => ({
      name: string(event.name),
      at: time(event.timeUnixNano),
      attributes: values(event.attributes),
    })),
    links: (span.links ?? []).map((link) => ({ traceId: id(link.traceId, 32), spanId: id(link.spanId, 16) })),
    status: { code: Number(span.status?.code ?? 0), message: String(span.status?.message ?? '') },
  }
}

function string(value: unknown): string {
  if (typeof value !== 'string' || value === '') throw new Error(`no text: ${value}`)
  return value
}

function id(value: unknown, digits: number): string {
  const text = string(value)
  if (!/^[\da-f]+$/.test(text) || text.length !== digits || /^0+$/.test(text)) throw new Error(`no id: ${text}`)
  return text
}

const time = (value: unknown) => BigInt(string(value))

function values(attributes: Json | undefined): Values {
  const read = (attributes ?? []).map(({ key, value }) => [string(key), plain(value ?? ({} as Json))] as const)
  const whole = attributes?.find(({ key, value }) => string(key).endsWith('_ms') && value?.doubleValue === undefined)
  if (whole !== undefined) throw new Error(`a time is a double: ${string(whole.key)}`)
  if (new Set(read.map(([key]) => key)).size !== read.length) throw new Error('an attribute stands there twice')
  return Object.fromEntries(read)
}

function plain(value: Json): Value {
  if (value.intValue !== undefined) return Number(string(value.intValue))
  const [only, ...others] = Object.values(value)
  if (others.length > 0 || !/^(string|number|boolean)$/.test(typeof only)) throw new Error('no attribute value')
  return only as unknown as Value
}
