/** Reads a job's status from a response body: job-style services report a failed job inside a 200. */

import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib'
import { pointed } from '../../job/pointer.ts'
import type { JobOutcome } from '../../events.ts'
import type { Reply } from '../exchange.ts'
import type { JobRule } from './rule.ts'
import { fieldOf } from '../../net/fields.ts'

/** Largest body that is read for a status, in bytes, as sent and as unpacked. */
export const LOOKED_AT = 64 * 1024
/**
 * Observes a response while it streams to the client unchanged. Calls back after the whole body when it reports the end of a
 * job. A larger body counts as completed: it is a result, since reports of failed jobs are small.
 */
export function watchJob(reply: Reply, rule: JobRule, tell: (outcome: JobOutcome) => void): void {
  if (!isReport(reply)) return
  const chunks: Buffer[] = []
  let bytes = 0
  reply.watch((chunk) => {
    bytes += chunk.length
    if (bytes <= LOOKED_AT) chunks.push(chunk)
  })
  reply.onClosed((end) => {
    if (end !== 'complete') return
    const outcome = bytes > LOOKED_AT ? 'completed' : outcomeIn(Buffer.concat(chunks), reply, rule)
    if (outcome !== undefined) tell(outcome)
  })
}

function outcomeIn(body: Buffer, reply: Reply, rule: JobRule): JobOutcome | undefined {
  const status = statusIn(reply, body, rule.json)
  if (status === TOO_LARGE) return 'completed'
  if (status === undefined) return undefined
  if (rule.failed.has(status)) return 'failed'
  return rule.completed.has(status) ? 'completed' : undefined
}

/** Marks a body that unpacks to more than the limit. No service uses this status. */
const TOO_LARGE = ' too large '

const isReport = ({ status, headers }: Reply) => status < 300 && /\bjson\b/i.test(fieldOf(headers, 'content-type'))

/** The status in a whole body; undefined when the body is not a report, or cannot be unpacked or parsed. */
export function statusIn(reply: Reply, body: Buffer, pointer: string): string | undefined {
  if (!isReport(reply)) return undefined
  try {
    const text = unpacked(body, fieldOf(reply.headers, 'content-encoding').trim().toLowerCase())
    const status = text === undefined ? undefined : pointed(JSON.parse(text.toString()), pointer)
    return typeof status === 'string' ? status : undefined
  } catch (error) {
    // A body that cannot be unpacked or parsed reports nothing. One that unpacks to too much is a result.
    return error instanceof RangeError ? TOO_LARGE : undefined
  }
}

/** @throws RangeError (ERR_BUFFER_TOO_LARGE) when the result is too large. */
function unpacked(body: Buffer, coding: string): Buffer | undefined {
  const limit = { maxOutputLength: LOOKED_AT }
  if (coding === '' || coding === 'identity') return body
  if (coding === 'gzip' || coding === 'x-gzip') return gunzipSync(body, limit)
  if (coding === 'deflate') return inflateSync(body, limit)
  return coding === 'br' ? brotliDecompressSync(body, limit) : undefined
}
