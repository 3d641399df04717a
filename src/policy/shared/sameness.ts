/** Which requests are the same, so that one call can answer them. */

import { createHash } from 'node:crypto'
import { firstField, onlyField, pairsOf, withoutFields } from '../../net/fields.ts'
import type { Exchange } from '../exchange.ts'

/**
 * Fields that differ in every request, or by the way that it came, and do not affect the response. Idempotency-Key is not among
 * them: it differs on purpose.
 */
const OF_THE_REQUEST: ReadonlySet<string> = new Set([
  // Trace contexts: W3C, Zipkin, Sentry, AWS, Jaeger, New Relic, Google, gRPC.
  'traceparent',
  'tracestate',
  'baggage',
  'b3',
  'sentry-trace',
  'x-amzn-trace-id',
  'uber-trace-id',
  'newrelic',
  'x-cloud-trace-context',
  'grpc-trace-bin',
  // Ids of one request.
  'request-id',
  'request-context',
  'x-request-id',
  'x-correlation-id',
  'x-ms-request-id',
  'x-ms-client-request-id',
  'x-amzn-requestid',
  // They name one attempt of the client.
  'x-request-attempt',
  'x-request-timeout',
  'date',
  // The way that the request came.
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-forwarded-host',
  'forwarded',
  'via',
  'user-agent',
])

/**
 * Families of trace contexts whose names are open: Zipkin, Datadog, New Relic, Jaeger's baggage. `x-ms-` and `x-amz-` are no
 * such families: API versions and credentials have those names, too.
 */
const OF_THE_TRACE = ['x-b3-', 'x-datadog-', 'x-newrelic-', 'uberctx-'] as const

const isOfTheRequest = (name: string) =>
  OF_THE_REQUEST.has(name) || OF_THE_TRACE.some((prefix) => name.startsWith(prefix))

/**
 * Key of an exchange: exchanges with the same key get the same answer.
 * @param named header names in lower case that matter; undefined for all but those of the request alone, since a response for
 * other credentials would be wrong.
 * @param body the whole body; undefined for a request without one, or whose body does not matter.
 */
export function sameness(
  { method, target, headers }: Pick<Exchange, 'method' | 'target' | 'headers'>,
  named: ReadonlySet<string> | undefined,
  body?: Buffer,
): string {
  const parts = body && partsOf(headers, body)
  const compared =
    parts === undefined ? headers : [...withoutFields(headers, OF_A_BOUNDARY), 'content-type', parts.type]
  const matters = (name: string) => (named === undefined ? !isOfTheRequest(name) : named.has(name))
  const fields = pairsOf(compared)
    .filter(([name]) => matters(name.toLowerCase()))
    .map(([name, value]) => `${name.toLowerCase()}: ${value}`)
  const digest = parts?.digest ?? (body && createHash('sha256').update(body).digest('base64'))
  return [method, target, ...fields.sort(), digest ?? ''].join('\n')
}

/** Fields that the choice of a boundary changes: its name stands in one, its length counts in the other. */
const OF_A_BOUNDARY: ReadonlySet<string> = new Set(['content-type', 'content-length'])

/** A multipart type with its parameters, each a token or a quoted string without escapes. */
const MULTIPART = /^(multipart\/[^\s;]+)((?:\s*;\s*[^\s;="]+=(?:"[^"\\]*"|[^\s;"]+))*)\s*$/i
const PARAMETER = /\s*;\s*([^\s;="]+)=(?:"([^"\\]*)"|([^\s;"]+))/g

/**
 * A multipart body without its boundary, which clients choose at random: its type without that parameter, and the digest of what
 * stands between the delimiters. The digest includes the length of each piece, so that no content can pass for a delimiter.
 * @returns undefined where the body is to be compared as it is: it is not multipart, or not everybody would split it alike.
 */
function partsOf(
  headers: readonly string[],
  body: Buffer,
): { readonly type: string; readonly digest: string } | undefined {
  // A coded body has no delimiters to be seen. One that holds some by chance would still be decoded by another boundary.
  if (firstField(headers, 'content-encoding') !== undefined) return undefined
  const [, essence, parameters = ''] = MULTIPART.exec(onlyField(headers, 'content-type') ?? '') ?? []
  if (essence === undefined) return undefined
  const all = [...parameters.matchAll(PARAMETER)]
  const [boundary, ...others] = all.filter(([, name = '']) => name.toLowerCase() === 'boundary')
  const delimiter = boundary?.[2] ?? boundary?.[3] ?? ''
  if (delimiter === '' || others.length > 0) return undefined
  const pieces = piecesOf(body, Buffer.from(`--${delimiter}`, 'latin1'))
  if (pieces === undefined) return undefined
  const hash = createHash('sha256')
  for (const piece of pieces) hash.update(`${piece.length}:`).update(piece)
  const type = [essence, ...all.filter((one) => one !== boundary).map(([parameter]) => parameter.trim())].join('')
  return { type, digest: `multipart ${hash.digest('base64')}` }
}

/** Matches the rest of a delimiter's line (RFC 2046 section 5.1.1): two hyphens at the end of the body, and blanks. */
const REST_OF_LINE = /^(?:--)?[ \t]*(?:\r\n|$)/
/** Longest rest of a delimiter's line that is looked at, in bytes. */
const MAX_REST = 70

/**
 * Splits a multipart body at its delimiters. Each stands at the beginning of a line and is followed by nothing else.
 * @returns undefined when there is none, or when the delimiter occurs elsewhere, where some parsers would split and others not.
 */
function piecesOf(body: Buffer, delimiter: Buffer): Buffer[] | undefined {
  const pieces: Buffer[] = []
  let from = 0
  for (let at = body.indexOf(delimiter); at >= 0; at = body.indexOf(delimiter, from)) {
    const end = at + delimiter.length
    const isLineStart = at === 0 || (at >= from + 2 && body[at - 2] === 0x0d && body[at - 1] === 0x0a)
    if (!isLineStart || !REST_OF_LINE.test(body.toString('latin1', end, end + MAX_REST))) return undefined
    pieces.push(body.subarray(from, at))
    from = end
  }
  if (from === 0) return undefined
  pieces.push(body.subarray(from))
  return pieces
}
