import type { Trace } from '../events.ts'
import { onlyField, type RawHeaders, withoutFields } from '../net/fields.ts'

/** What became of a request's trace when it arrived. */
export type Joined = {
  /** undefined when it is not recorded. */
  readonly trace: Trace | undefined
  /** That a new trace has its id from; undefined when the client's own goes on. */
  readonly uuid: string | undefined
}

/** Version, trace, parent, flags, and what versions above 00 may say besides (W3C Trace Context section 3.2). */
const TRACEPARENT = /^([\da-f]{2})-(?!0{32})([\da-f]{32})-(?!0{16})([\da-f]{16})-([\da-f]{2})(-.*)?$/
/** Flags that there is a meaning for: sampled, and that the id is random (Level 2 section 2.2.4). */
const KNOWN_FLAGS = 0b11
const SAMPLED = 0b01

/** The field that is written anew for each attempt, and those that a new trace replaces. */
const OF_ATTEMPT: ReadonlySet<string> = new Set(['traceparent'])
const OF_TRACE: ReadonlySet<string> = new Set(['traceparent', 'tracestate'])

/**
 * The trace that a request is part of, and whether it is recorded: as its client says, and by chance when it says nothing.
 * What cannot be read, or stands there twice, is a new trace (W3C Trace Context section 4.3).
 * @param sample share of new traces that are recorded, from 0 to 1; decided by the trace's id, as others may, too.
 * @param newId a random UUID
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

/** The fields for the upstream: of a request that is recorded each attempt gets a `traceparent` of its own later. */
export function withTrace(headers: string[], { trace, uuid }: Joined): string[] {
  if (trace === undefined && uuid === undefined) return headers
  const others = withoutFields(headers, uuid === undefined ? OF_ATTEMPT : OF_TRACE)
  if (trace === undefined && uuid !== undefined) others.push('traceparent', unrecorded(uuid.replaceAll('-', '')))
  return others
}

const unrecorded = (hex: string) => `00-${hex}-${hex.slice(16)}-00`

const spanId = (newId: () => string) => newId().replaceAll('-', '').slice(16)

/** By the 52 upper of the 56 bits that are random (OpenTelemetry, TraceState: probability sampling): a number holds no more. */
const isSampled = (traceId: string, share: number) =>
  Number.parseInt(traceId.slice(18, 31), 16) >= (1 - share) * 2 ** 52
