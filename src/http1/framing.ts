/** Where a message ends and whether its connection goes on (RFC 9112 sections 6 and 9). */

import { elementsOf } from './chars.ts'
import { MessageFault, malformed } from './fault.ts'
import type { FieldLines } from './field-lines.ts'

/** Value of `bodyBytes` besides a length: the body is chunked. */
export const CHUNKED = -1
/** Value of `bodyBytes` besides a length: the end of the connection ends the body. Only of a response. */
export const UNTIL_CLOSE = -2

/**
 * Length of the body in bytes, `CHUNKED`, or `UNTIL_CLOSE` when no field says it. Stricter than RFC 9112 section 6.3 wherever
 * two readers could differ: one Content-Length, no second value, not beside Transfer-Encoding; no Transfer-Encoding in HTTP/1.0;
 * the only coding is `chunked`, once, without parameters.
 */
export function framedBytes(lines: FieldLines, minor: 0 | 1, isRequest: boolean): number | MessageFault {
  if (lines.codings > 0) {
    if (lines.lengths > 0) return malformed('the message has a Content-Length beside a Transfer-Encoding')
    if (minor === 0) return malformed('an HTTP/1.0 message has a Transfer-Encoding')
    return /^chunked$/i.test(lines.coding) ? CHUNKED : codingFault(lines.coding, isRequest)
  }
  if (lines.lengths === 0) return UNTIL_CLOSE
  if (lines.lengths > 1) return malformed('the message has several Content-Length fields')
  const bytes = /^\d+$/.test(lines.length) ? Number(lines.length) : Number.NaN
  return bytes <= Number.MAX_SAFE_INTEGER
    ? bytes
    : malformed('the Content-Length is not a number of bytes, or larger than 2^53-1')
}

/**
 * A message that ends in `chunked` has a known end but a coding that nobody here decodes: 501 (RFC 9112 section 6.1). So does a
 * response in an unknown coding, since its connection ends it. Any other request has no known end: 400 (section 6.3).
 * `identity`, which RFC 7230 has removed, counts as an unknown coding.
 */
function codingFault(coding: string, isRequest: boolean): MessageFault {
  const names = elementsOf(coding)
  if (names.some((name) => !/^[!#$%&'*+\-.^_`|~0-9a-z]+$/.test(name)))
    return malformed('the Transfer-Encoding is no list of codings without parameters')
  const first = names.indexOf('chunked')
  if (first >= 0 && first < names.length - 1)
    return malformed('the Transfer-Encoding has chunked twice, or not as its last coding')
  if (first < 0 && isRequest) return malformed('the Transfer-Encoding does not end in chunked')
  return new MessageFault('coding', 'the Transfer-Encoding has a coding besides chunked')
}

/** Options of Connection that the codec knows, as bits. */
const CLOSE = 1
const KEEP_ALIVE = 2
export const UPGRADE = 4

/** Options in the value of Connection, in any case and order (RFC 9110 section 7.6.1). Other options are not looked at. */
export function connectionOptions(connection: string): number {
  if (connection === '') return 0
  if (connection === 'keep-alive') return KEEP_ALIVE
  if (connection === 'close') return CLOSE
  let options = 0
  for (const option of elementsOf(connection)) options |= OPTIONS.get(option) ?? 0
  return options
}

const OPTIONS: ReadonlyMap<string, number> = new Map([
  ['close', CLOSE],
  ['keep-alive', KEEP_ALIVE],
  ['upgrade', UPGRADE],
])

/** Whether the connection may carry another message after this one (RFC 9112 section 9.3). */
export const isPersistent = (minor: 0 | 1, options: number): boolean =>
  (options & CLOSE) === 0 && (minor === 1 || (options & KEEP_ALIVE) !== 0)
