/** Heads of HTTP/1.x messages: the start line and the fields, checked and read in one pass (RFC 9112 sections 2 to 6). */

import { CR, DIGIT, elementsOf, LF, SP, skip, skipValue, TARGET, TOKEN } from './chars.ts'
import { MessageFault, malformed } from './fault.ts'
import { FieldLines, readFieldLines, Section } from './field-lines.ts'
import { connectionOptions, framedBytes, isPersistent, UNTIL_CLOSE, UPGRADE } from './framing.ts'
import { isValidHost } from './host.ts'

export { MessageFault } from './fault.ts'
export { CHUNKED, UNTIL_CLOSE } from './framing.ts'

export type HeadLimits = {
  /** Bytes of a head: start line, fields, line ends and the empty line; also of extensions and trailers of a chunked body. */
  readonly maxHeadBytes: number
  readonly maxFields: number
  /** Bytes of a request target as it came, before anything is percent-encoded. */
  readonly maxTargetBytes: number
}

/** Limits that no setting changes. */
export const FIXED_LIMITS: Omit<HeadLimits, 'maxHeadBytes'> = { maxFields: 1_000, maxTargetBytes: 16 * 1024 }

/**
 * Head of a request. Texts are latin1, one character a byte. Long ones share the memory of the whole head: a copy is due where
 * one of them is kept for long.
 */
export type RequestHead = {
  readonly method: string
  /** As it came, except that bytes above 0x7F are percent-encoded. Its form is not checked here. */
  readonly target: string
  /** The minor version: HTTP/1.0 or HTTP/1.1. */
  readonly minor: 0 | 1
  /** Flat: name, value, name, value, …; as on the wire, without whitespace around the values. */
  readonly headers: string[]
  /** Length of the body in bytes, or `CHUNKED`. */
  readonly bodyBytes: number
  /** Whether the client wants to use the connection again. */
  readonly keepAlive: boolean
  /**
   * Value of Expect in lower case, a list of 100-continue alone as one; '' without, and for 100-continue from HTTP/1.0 (RFC 9110
   * section 10.1.1).
   */
  readonly expects: string
  /** Values of Upgrade, joined with ', ', when Connection lists `upgrade`; else, and for HTTP/1.0, '' (RFC 9110 section 7.8). */
  readonly upgrade: string
  /** Value of Host, which is valid; '' without. */
  readonly host: string
  /** Whether a body of at least one byte, or a chunked one, follows. */
  readonly hasContent: boolean
}

/** Head of a response. For the texts see RequestHead. */
export type ResponseHead = {
  /** 100 to 999. Above 599 it is invalid, and treated as 5xx (RFC 9110 section 15): clients take it, and some services send it. */
  readonly status: number
  /** The reason phrase; '' without. */
  readonly statusText: string
  /** The minor version: HTTP/1.0 or HTTP/1.1. */
  readonly minor: 0 | 1
  /** Flat: name, value, name, value, …; as on the wire, without whitespace around the values. */
  readonly headers: string[]
  /** Length of the body in bytes, `CHUNKED`, or `UNTIL_CLOSE`. 0 for HEAD, 1xx, 204 and 304, whatever the fields say. */
  readonly bodyBytes: number
  /** Whether the connection may be used again after this response. */
  readonly keepAlive: boolean
  /** Values of Upgrade, joined with ', ', when Connection lists `upgrade`; else ''. */
  readonly upgrade: string
  /** Seconds for which the server keeps an idle connection, by Keep-Alive: timeout=n; undefined without. */
  readonly keepAliveTimeoutS: number | undefined
}

/** Longest method, in bytes; the longest registered one has 17. */
const MAX_METHOD_BYTES = 64
/** As many bytes tell whether a message can be HTTP at all. */
export const LONGEST_START_BYTES = MAX_METHOD_BYTES + 16

/**
 * Reads the head of a request: the bytes from `from` to `to`, without the final CRLF CRLF.
 * @returns a fault instead, of kind `malformed`, `head_too_large`, `target_too_long`, `coding`, `version` or `preface`.
 */
export function parseRequestHead(
  bytes: Buffer,
  from: number,
  to: number,
  limits: HeadLimits,
): RequestHead | MessageFault {
  const section = new Section(bytes, from, to)
  const line = readRequestLine(section, limits)
  if (line instanceof MessageFault) return line
  const { minor } = line
  const lines = new FieldLines()
  const fault = line.end < to ? readFieldLines(section, line.end + 2, limits.maxFields, lines) : undefined
  if (fault !== undefined) return fault
  const invalidHost = hostFault(lines, bytes, minor)
  if (invalidHost !== undefined) return invalidHost
  const framed = framedBytes(lines, minor, true)
  if (framed instanceof MessageFault) return framed
  const bodyBytes = framed === UNTIL_CLOSE ? 0 : framed
  const options = connectionOptions(lines.connection)
  return {
    method: line.method,
    target: line.target,
    minor,
    headers: lines.headers,
    bodyBytes,
    keepAlive: isPersistent(minor, options),
    expects: lines.expect === '' ? '' : expectation(lines.expect.toLowerCase(), minor),
    upgrade: (options & UPGRADE) === 0 || minor === 0 ? '' : lines.upgrade,
    host: lines.host,
    hasContent: bodyBytes !== 0,
  }
}

const CONTINUE = '100-continue'

function expectation(value: string, minor: 0 | 1): string {
  const named = value === CONTINUE ? [value] : elementsOf(value).filter((one) => one !== '')
  if (named.length === 0 || named.some((one) => one !== CONTINUE)) return value
  return minor === 0 ? '' : CONTINUE
}

function hostFault(lines: FieldLines, bytes: Buffer, minor: 0 | 1): MessageFault | undefined {
  if (lines.hosts > 1) return malformed('the request has several Host fields')
  if (lines.hosts === 0) return minor === 0 ? undefined : malformed('the HTTP/1.1 request has no Host field')
  if (isValidHost(lines.host, bytes, lines.hostAt)) return undefined
  return malformed('the Host field is not a valid host and port')
}

/** The request line, and the index of its end. */
type RequestLine = {
  readonly method: string
  readonly target: string
  readonly minor: 0 | 1
  readonly end: number
}

/** Reads the first line of a section: `method SP target SP version`, one space each (RFC 9112 section 3). */
function readRequestLine(section: Section, limits: HeadLimits): RequestLine | MessageFault {
  const { bytes, from, to } = section
  const methodEnd = skip(bytes, from, to, TOKEN)
  if (methodEnd === from || methodEnd - from > MAX_METHOD_BYTES || methodEnd === to || bytes[methodEnd] !== SP)
    return methodFault(bytes, from, to, methodEnd)
  const method = section.text(from, methodEnd)
  if (method === PREFACE_METHOD) return preface()
  const targetAt = methodEnd + 1
  const targetEnd = skip(bytes, targetAt, to, TARGET)
  if (targetEnd - targetAt > limits.maxTargetBytes) return targetTooLong()
  if (targetEnd === targetAt || targetEnd === to || bytes[targetEnd] !== SP)
    return malformed('the request line is not method, target and version with one space between')
  const end = targetEnd + 9
  const minor = minorVersion(section.text(targetEnd + 1, end))
  if (minor instanceof MessageFault) return minor
  if (!isLineEnd(section, end)) return malformed('the request line has something after its version')
  return { method, target: encoded(section.text(targetAt, targetEnd)), minor, end }
}

const targetTooLong = () => new MessageFault('target_too_long', 'the request target is too long')

const preface = () => new MessageFault('preface', 'the client speaks HTTP/2, this listener HTTP/1.1')

function methodFault(bytes: Buffer, from: number, to: number, methodEnd: number): MessageFault {
  if (methodEnd - from > MAX_METHOD_BYTES) return malformed('the method is too long')
  return malformed(isTls(bytes, from, to) ? TLS : 'the request does not begin with a method and a space')
}

/** Fault of a whole request line. */
export function requestLineFault(
  bytes: Buffer,
  from: number,
  to: number,
  limits: HeadLimits,
): MessageFault | undefined {
  const line = readRequestLine(new Section(bytes, from, to), limits)
  return line instanceof MessageFault ? line : undefined
}

/** Fault of the beginning of a request, of which more may come; undefined while there is none. */
export function requestStartFault(
  bytes: Buffer,
  from: number,
  to: number,
  limits: HeadLimits,
): MessageFault | undefined {
  const methodEnd = skip(bytes, from, to, TOKEN)
  if (methodEnd - from > MAX_METHOD_BYTES || (methodEnd < to && (methodEnd === from || bytes[methodEnd] !== SP)))
    return methodFault(bytes, from, to, methodEnd)
  if (methodEnd < to && bytes.toString('latin1', from, methodEnd) === PREFACE_METHOD) return preface()
  const targetEnd = skip(bytes, methodEnd + 1, to, TARGET)
  return targetEnd - methodEnd - 1 > limits.maxTargetBytes ? targetTooLong() : undefined
}

/** Fault of the beginning of a response, of which more may come; undefined while there is none. */
export function responseStartFault(bytes: Buffer, from: number, to: number): MessageFault | undefined {
  if (VERSION.startsWith(bytes.toString('latin1', from, Math.min(to, from + VERSION.length)))) return undefined
  return malformed(isTls(bytes, from, to) ? TLS : 'the response does not begin with a status line')
}

/** Reserved for the connection preface, which is `PRI * HTTP/2.0` (RFC 9113 sections 3.4 and 11.6). */
const PREFACE_METHOD = 'PRI'
const VERSION = 'HTTP/'
const TLS = 'the message is no HTTP, it looks like TLS'

/** A TLS record begins with its type, which is alert or handshake here, and a major version of 3 (RFC 8446 section 5.1). */
function isTls(bytes: Buffer, from: number, to: number): boolean {
  const type = bytes[from]
  return (type === 0x15 || type === 0x16) && (from + 1 >= to || bytes[from + 1] === 3)
}

const isLineEnd = ({ bytes, to }: Section, at: number) => at === to || (bytes[at] === CR && bytes[at + 1] === LF)

/** The minor version of `HTTP/1.x`. HTTP/1.2 is as unknown as HTTP/2.0: nobody has defined it. */
function minorVersion(version: string): 0 | 1 | MessageFault {
  if (version === 'HTTP/1.1') return 1
  if (version === 'HTTP/1.0') return 0
  if (/^HTTP\/\d\.\d$/.test(version)) return new MessageFault('version', 'the version is neither HTTP/1.1 nor HTTP/1.0')
  return malformed('the start line has no valid version')
}

const BEYOND_ASCII = /[\x80-\xff]/g

function encoded(target: string): string {
  if (target.search(BEYOND_ASCII) < 0) return target
  return target.replaceAll(BEYOND_ASCII, (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase()}`)
}

/**
 * Reads the head of a response: the bytes from `from` to `to`, without the final CRLF CRLF. `requestMethod` decides, with the
 * status, whether there is a body (RFC 9112 section 6.3).
 * @returns a fault instead, of kind `malformed`, `head_too_large`, `coding` or `version`.
 */
export function parseResponseHead(
  bytes: Buffer,
  from: number,
  to: number,
  requestMethod: string,
  limits: HeadLimits,
): ResponseHead | MessageFault {
  const section = new Section(bytes, from, to)
  const line = readStatusLine(section)
  if (line instanceof MessageFault) return line
  const { status, minor } = line
  const lines = new FieldLines()
  const fault = line.end < to ? readFieldLines(section, line.end + 2, limits.maxFields, lines) : undefined
  if (fault !== undefined) return fault
  const framed = framedBytes(lines, minor, false)
  if (framed instanceof MessageFault) return framed
  const bodyBytes = hasBody(status, requestMethod) ? framed : 0
  const options = connectionOptions(lines.connection)
  return {
    status,
    statusText: line.statusText,
    minor,
    headers: lines.headers,
    bodyBytes,
    keepAlive: bodyBytes !== UNTIL_CLOSE && isPersistent(minor, options),
    upgrade: (options & UPGRADE) === 0 ? '' : lines.upgrade,
    keepAliveTimeoutS: lines.keepAlive === '' ? undefined : timeoutOf(lines.keepAlive),
  }
}

/** The status line, and the index of its end. */
type StatusLine = {
  readonly status: number
  readonly statusText: string
  readonly minor: 0 | 1
  readonly end: number
}

/** `version SP status [ SP reason ]`: many servers leave out the last space with the reason (RFC 9112 section 4). */
function readStatusLine(section: Section): StatusLine | MessageFault {
  const { bytes, from, to } = section
  const minor = minorVersion(section.text(from, from + 8))
  if (minor instanceof MessageFault) return responseStartFault(bytes, from, to) ?? minor
  const status = statusAt(bytes, from + 8, to)
  if (status === 0) return malformed('the status line has no status of three digits from 100 on')
  const reasonAt = from + 12
  const end = skipValue(bytes, reasonAt, to)
  if (!isLineEnd(section, end) || (end > reasonAt && bytes[reasonAt] !== SP))
    return malformed('the reason phrase is not valid')
  return { status, statusText: section.text(Math.min(reasonAt + 1, end), end), minor, end }
}

/** The status after a space at that index; 0 when it is not three digits, or below 100. */
function statusAt(bytes: Buffer, at: number, to: number): number {
  if (at + 4 > to || bytes[at] !== SP || skip(bytes, at + 1, at + 4, DIGIT) < at + 4) return 0
  const status = 100 * digitAt(bytes, at + 1) + 10 * digitAt(bytes, at + 2) + digitAt(bytes, at + 3)
  return status >= 100 ? status : 0
}

const digitAt = (bytes: Buffer, at: number) => (bytes[at] ?? 0) - 0x30

/** Fault of a whole status line. */
export function statusLineFault(bytes: Buffer, from: number, to: number): MessageFault | undefined {
  const line = readStatusLine(new Section(bytes, from, to))
  return line instanceof MessageFault ? line : undefined
}

const hasBody = (status: number, requestMethod: string) =>
  requestMethod !== 'HEAD' && status >= 200 && status !== 204 && status !== 304

/** `timeout=5, max=100` → 5. The field has no standard any more; RFC 2068 section 19.7.1.1 had it. */
function timeoutOf(keepAlive: string): number | undefined {
  const seconds = /(?:^|[,;\t ])timeout[\t ]*=[\t ]*"?(\d{1,9})(?!\d)/i.exec(keepAlive)?.[1]
  return seconds === undefined ? undefined : Number(seconds)
}
