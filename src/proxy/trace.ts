import type { Trace } from '../events.ts'
import { onlyField, type RawHeaders, withoutFields } from '../net/fields.ts'

/** Trace of an arriving request. */
export type Joined = {
  /** undefined when the request is not recorded. */
  readonly trace: Trace | undefined
  /** UUID that gave a new trace its id; undefined when the client's trace goes on. */
  readonly uuid: string | undefined
}

/** Version, trace, parent, flags, and further fields of later versions (W3C Trace Context section 3.2). */
const TRACEPARENT = /^([\da-f]{2})-(?!0{32})([\da-f]{32})-(?!0{16})([\da-f]{16})-([\da-f]{2})(-.*)?$/
/** Known flags: sampled, and random id (Level 2 section 2.2.4). */
const KNOWN_FLAGS = 0b11
const SAMPLED = 0b01

/** The field that each attempt writes anew, and those that a new trace replaces. */
const OF_ATTEMPT: ReadonlySet<string> = new Set(['traceparent'])
const OF_TRACE: ReadonlySet<string> = new Set(['traceparent', 'tracestate'])

/**
 * The trace of a request, and whether it is recorded: as the client says, or by chance. A traceparent that cannot be read or
 * comes twice starts a new trace (W3C Trace Context section 4.3).
 * @param sample share of new traces to record, 0 to 1. The trace's id decides, so that others can decide alike.
 * @param newId makes a UUID.
 */
export function joinTrace(raw: RawHeaders, sample: number, newId: () => string): Joined {
  const [, version, traceId, parentId, flags, more] =
    TRACEPARENT.exec(onlyField(raw, 'traceparent')?.trim() ?? '') ?? []
  const isKnown = version !== 'ff' && (version !== '00' || more === undefined)
  if (!isKnown || traceId === undefined || parentId === undefined || flags === undefined) {
    const uuid = newId()
    const fresh = uuid.replaceAll('-', '')
    const trace = isSampled(fresh, sample)
      ? { traceId: fresh, spanId: spanId(newId), parentId: '', flags: '01' }
      : undefined
    return { trace, uuid }
  }
  const known = Number.parseInt(flags, 16) & KNOWN_FLAGS
  if ((known & SAMPLED) === 0) return { trace: undefined, uuid: undefined }
  return { trace: { traceId, spanId: spanId(newId), parentId, flags: `0${known}` }, uuid: undefined }
}

/** Fields for the upstream. Each attempt of a recorded request gets its own `traceparent` later. */
export function withTrace(headers: string[], { trace, uuid }: Joined): string[] {
  if (trace === undefined && uuid === undefined) return headers
  const others = withoutFields(headers, uuid === undefined ? OF_ATTEMPT : OF_TRACE)
  if (trace === undefined && uuid !== undefined) others.push('traceparent', unrecorded(uuid.replaceAll('-', '')))
  return others
}

const unrecorded = (hex: string) => `00-${hex}-${hex.slice(16)}-00`

const spanId = (newId: () => string) => newId().replaceAll('-', '').slice(16)

/** Decides by the upper 52 of the 56 random bits (OpenTelemetry, TraceState: probability sampling): a number holds no more. */
const isSampled = (traceId: string, share: number) =>
  Number.parseInt(traceId.slice(18, 31), 16) >= (1 - share) * 2 ** 52
