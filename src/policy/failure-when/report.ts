/** Reads what a response reports about a job: job-style services report a failed job inside a 200. */

import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib'
import type { Report } from '../../job/condition.ts'
import type { JobOutcome } from '../../events.ts'
import { fieldOf, firstField } from '../../net/fields.ts'
import type { Reply } from '../exchange.ts'
import type { JobRule } from './rule.ts'

/** A response for conditions, which are asked about its body once that is whole. */
export type BodyReport = Report & {
  /** Whether the body is larger than the limit, as sent or unpacked. */
  readonly isTooLarge: () => boolean
}

type Unpacked = Buffer | 'too large' | undefined

/**
 * @param body undefined when it is larger than the limit.
 * @param limitBytes as sent and as unpacked.
 */
export function reportOf(
  { status, headers }: Pick<Reply, 'status' | 'headers'>,
  body: Buffer | undefined,
  limitBytes: number,
): BodyReport {
  const coding = () => fieldOf(headers, 'content-encoding').trim().toLowerCase()
  const whole = once((): Unpacked => (body === undefined ? 'too large' : unpacked(body, coding(), limitBytes)))
  return {
    status,
    header: (name) => firstField(headers, name),
    json: once(() => {
      const bytes = isJson(headers) ? whole() : undefined
      return Buffer.isBuffer(bytes) ? parsed(bytes.toString()) : undefined
    }),
    text: once(() => {
      const bytes = whole()
      return Buffer.isBuffer(bytes) ? bytes.toString() : undefined
    }),
    isTooLarge: () => whole() === 'too large',
  }
}

export const isJson = (headers: Reply['headers']) => /\bjson\b/i.test(fieldOf(headers, 'content-type'))

/**
 * Observes a response while it streams to the client unchanged. Calls back after the whole body when it reports the end of a
 * job. Reads the body only where the head leaves the outcome open.
 */
export function watchJob(reply: Reply, rule: JobRule, tell: (outcome: JobOutcome, report: Report) => void): void {
  const { limitBytes, readsText, readsId } = rule
  const head = reportOf(reply, undefined, limitBytes)
  const byHead = outcomeOf(head, rule)
  if (byHead === 'none') return
  const mayRead = readsText || isJson(reply.headers)
  if (byHead === 'unknown' ? !mayRead : !readsId) {
    reply.onClosed((end) => {
      if (end === 'complete' && byHead !== 'unknown') tell(byHead, head)
    })
    return
  }
  watchReport(reply, limitBytes, (report) => {
    const outcome = outcomeOf(report, rule)
    if (outcome === 'failed' || outcome === 'completed') tell(outcome, report)
  })
}

/** Observes a response while it streams to the client unchanged. Calls back once its body is whole. */
export function watchReport(reply: Reply, limitBytes: number, tell: (report: BodyReport) => void): void {
  const chunks: Buffer[] = []
  let bytes = 0
  reply.watch((chunk) => {
    bytes += chunk.length
    if (bytes <= limitBytes) chunks.push(chunk)
    else chunks.length = 0
  })
  reply.onClosed((end) => {
    if (end === 'complete') tell(reportOf(reply, bytes > limitBytes ? undefined : Buffer.concat(chunks), limitBytes))
  })
}

/** A report that cannot be read is neither failed nor completed. */
function outcomeOf(report: Report, { failed, completed }: JobRule): JobOutcome | 'none' | 'unknown' {
  const isFailed = failed?.verdictOn(report) ?? 'no'
  if (isFailed !== 'no') return isFailed === 'yes' ? 'failed' : 'unknown'
  const isCompleted = completed?.verdictOn(report) ?? 'no'
  if (isCompleted === 'unknown') return 'unknown'
  return isCompleted === 'yes' ? 'completed' : 'none'
}

function parsed(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) }
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

/** @returns undefined when the coding is not known, or the body is not in it. */
function unpacked(body: Buffer, coding: string, limitBytes: number): Unpacked {
  const limit = { maxOutputLength: limitBytes }
  try {
    if (coding === '' || coding === 'identity') return body
    if (coding === 'gzip' || coding === 'x-gzip') return gunzipSync(body, limit)
    if (coding === 'deflate') return inflateSync(body, limit)
    return coding === 'br' ? brotliDecompressSync(body, limit) : undefined
  } catch (error) {
    // zlib throws a RangeError (ERR_BUFFER_TOO_LARGE) past the limit, and an Error for bytes that are not in the coding.
    return error instanceof RangeError ? 'too large' : undefined
  }
}

/** Calls the function at the first call, and remembers its result. */
function once<V>(read: () => V): () => V {
  let known: { readonly value: V } | undefined
  return () => {
    known ??= { value: read() }
    return known.value
  }
}
