/**
 * Spans as OTLP says them in JSON: ids in hexadecimal, times and whole numbers as text, kinds and codes as numbers.
 * Source: OpenTelemetry Protocol 1.x, "JSON Protobuf Encoding", and opentelemetry/proto/trace/v1/trace.proto.
 */

export type Attributes = Readonly<Record<string, string | number | boolean | undefined>>

export type SpanEvent = {
  readonly name: string
  /** Wall-clock ms, as all times here. */
  readonly at: number
  readonly attributes: Attributes
}

export type Span = {
  readonly traceId: string
  readonly spanId: string
  /** '' for the first of a trace. */
  readonly parentId: string
  readonly kind: keyof typeof KINDS
  readonly name: string
  readonly startedAt: number
  readonly endedAt: number
  readonly attributes: Attributes
  readonly events: readonly SpanEvent[]
  /** Of other traces, or other parts of this one. */
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[]
  /** What went wrong, in words; undefined when nothing did. */
  readonly error: string | undefined
}

const KINDS = { server: 2, client: 3 } as const
const ERROR = 2

export const encodeSpan = (span: Span): string =>
  JSON.stringify({
    traceId: span.traceId,
    spanId: span.spanId,
    ...(span.parentId === '' ? {} : { parentSpanId: span.parentId }),
    name: span.name,
    kind: KINDS[span.kind],
    startTimeUnixNano: nanoseconds(span.startedAt),
    endTimeUnixNano: nanoseconds(span.endedAt),
    attributes: encodeAttributes(span.attributes),
    events: span.events.map(({ name, at, attributes }) => ({
      timeUnixNano: nanoseconds(at),
      name,
      attributes: encodeAttributes(attributes),
    })),
    links: span.links,
    status: span.error === undefined ? {} : { code: ERROR, message: span.error },
  })

/** The body of a call to the collector. @param spans encoded ones @param resource what they all are of. */
export function exportRequest(spans: readonly string[], resource: Attributes): string {
  const about = JSON.stringify({ attributes: encodeAttributes(resource) })
  const scope = JSON.stringify({ name: 'breakwater', version: resource['service.version'] })
  return `{"resourceSpans":[{"resource":${about},"scopeSpans":[{"scope":${scope},"spans":[${spans.join(',')}]}]}]}`
}

/** Whole microseconds: a double of ms since 1970 holds no more. */
function nanoseconds(wallMs: number): string {
  const microseconds = Math.round(wallMs * 1000)
  return `${microseconds}000`
}

function encodeAttributes(attributes: Attributes) {
  const encoded: { key: string; value: object }[] = []
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined) encoded.push({ key, value: encodeValue(value) })
  }
  return encoded
}

function encodeValue(value: string | number | boolean): object {
  if (typeof value === 'string') return { stringValue: value }
  if (typeof value === 'boolean') return { boolValue: value }
  return Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value }
}
