/** What a response says of a job in its body: services that work by jobs report a failed one inside a 200. */

import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib'
import { pointed } from '../../job/pointer.ts'
import type { JobOutcome } from '../../events.ts'
import type { Reply } from '../exchange.ts'
import type { JobRule } from './rule.ts'
import { fieldOf } from '../../net/fields.ts'

/** What of a body is looked at, as sent and as unpacked, in bytes. */
export const LOOKED_AT = 64 * 1024
/**
 * Reads along while a response streams to the client, unchanged and undelayed. Calls back, once its body is whole, with
 * what it says of its job; not at all when it says nothing. A body that is too large to be looked at is a result, and so
 * is that of a job that is done: reports of failed ones are small.
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

/** Stands for a body that unpacks to more than is looked at: no status that a service would use. */
const TOO_LARGE = ' too large '

const isReport = ({ status, headers }: Reply) => status < 300 && /\bjson\b/i.test(fieldOf(headers, 'content-type'))

/** The status that a whole body reports; undefined when it is no report, or cannot be unpacked or read. */
export function statusIn(reply: Reply, body: Buffer, pointer: string): string | undefined {
  if (!isReport(reply)) return undefined
  try {
    const text = unpacked(body, fieldOf(reply.headers, 'content-encoding').trim().toLowerCase())
    const status = text === undefined ? undefined : pointed(JSON.parse(text.toString()), pointer)
    return typeof status === 'string' ? status : undefined
  } catch (error) {
    // What cannot be unpacked or read says nothing; what unpacks to too much is a result.
    return error instanceof RangeError ? TOO_LARGE : undefined
  }
}

/** @throws RangeError (ERR_BUFFER_TOO_LARGE) when it is too large. */
function unpacked(body: Buffer, coding: string): Buffer | undefined {
  const limit = { maxOutputLength: LOOKED_AT }
  if (coding === '' || coding === 'identity') return body
  if (coding === 'gzip' || coding === 'x-gzip') return gunzipSync(body, limit)
  if (coding === 'deflate') return inflateSync(body, limit)
  return coding === 'br' ? brotliDecompressSync(body, limit) : undefined
}
