/** Heads of HTTP/1.x messages: the start line and the fields, checked and read in one pass (RFC 9112 sections 2 to 6). */

import { SP, skip, TARGET, TOKEN, VALUE } from './chars.ts'
import { MessageFault, malformed } from './fault.ts'
import { FieldLines, readFieldLines } from './field-lines.ts'
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
  /** Value of Expect in lower case; '' without, and for 100-continue from HTTP/1.0 (RFC 9110 section 10.1.1). */
  readonly expects: string
  /** Values of Upgrade, joined with ', ', when Connection lists `upgrade`; else ''. */
  readonly upgrade: string
  /** Value of Host, which is valid; '' without. */
  readonly host: string
  /** Whether a body of at least one byte, or a chunked one, follows. */
  readonly hasContent: boolean
}

/** Head of a response. For the texts see RequestHead. */
export type ResponseHead = {
  /** 100 to 599. */
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
 * Reads the head of a request. `text` is the head in latin1 without the final CRLF CRLF.
 * @returns a fault instead, of kind `malformed`, `head_too_large`, `target_too_long`, `coding`, `version` or `preface`.
 */
export function parseRequestHead(text: string, limits: HeadLimits): RequestHead | MessageFault {
  const line = readRequestLine(text, limits)
  if (line instanceof MessageFault) return line
  const { minor } = line
  const lines = new FieldLines()
  if (line.end < text.length) {
    const fault = readFieldLines(text, line.end + 2, limits.maxFields, lines)
    if (fault !== undefined) return fault
  }
  const fault = hostFault(lines, minor)
  if (fault !== undefined) return fault
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
    upgrade: (options & UPGRADE) === 0 ? '' : lines.upgrade,
    host: lines.host,
    hasContent: bodyBytes !== 0,
  }
}

const expectation = (value: string, minor: 0 | 1) => (minor === 0 && value === '100-continue' ? '' : value)

function hostFault(lines: FieldLines, minor: 0 | 1): MessageFault | undefined {
  if (lines.hosts > 1) return malformed('the request has several Host fields')
  if (lines.hosts === 0) return minor === 0 ? undefined : malformed('the HTTP/1.1 request has no Host field')
  return isValidHost(lines.host) ? undefined : malformed('the Host field is not a valid host and port')
}

/** The request line, and the index of its end. */
type RequestLine = {
  readonly method: string
  readonly target: string
  readonly minor: 0 | 1
  readonly end: number
}

/** Reads the first line of the text, up to a CR or the end of the text: `method SP target SP version`, one space each. */
function readRequestLine(text: string, limits: HeadLimits): RequestLine | MessageFault {
  const methodEnd = skip(text, 0, TOKEN)
  if (methodEnd === 0 || methodEnd > MAX_METHOD_BYTES || text.charCodeAt(methodEnd) !== SP)
    return methodFault(text, methodEnd)
  const targetAt = methodEnd + 1
  const targetEnd = skip(text, targetAt, TARGET)
  if (targetEnd - targetAt > limits.maxTargetBytes) return tooLong()
  if (targetEnd === targetAt || text.charCodeAt(targetEnd) !== SP)
    return malformed('the request line is not method, target and version with one space between')
  const minor = minorVersion(text, targetEnd + 1)
  if (minor instanceof MessageFault) return text.startsWith(PREFACE) ? preface() : minor
  const end = targetEnd + 9
  if (!isLineEnd(text, end)) return malformed('the request line has something after its version')
  return { method: text.slice(0, methodEnd), target: encoded(text.slice(targetAt, targetEnd)), minor, end }
}

const tooLong = () => new MessageFault('target_too_long', 'the request target is too long')

const preface = () => new MessageFault('preface', 'the client speaks HTTP/2, this listener HTTP/1.1')

function methodFault(text: string, methodEnd: number): MessageFault {
  if (methodEnd > MAX_METHOD_BYTES) return malformed('the method is too long')
  return malformed(isTls(text) ? TLS : 'the request does not begin with a method and a space')
}

/** Fault of a whole request line. */
export function requestLineFault(text: string, limits: HeadLimits): MessageFault | undefined {
  const line = readRequestLine(text, limits)
  return line instanceof MessageFault ? line : undefined
}

/** Fault of a request line of which more may come; undefined while there is none. */
export function requestStartFault(text: string, limits: HeadLimits): MessageFault | undefined {
  const methodEnd = skip(text, 0, TOKEN)
  if (
    methodEnd > MAX_METHOD_BYTES ||
    (methodEnd < text.length && (methodEnd === 0 || text.charCodeAt(methodEnd) !== SP))
  )
    return methodFault(text, methodEnd)
  if (text.startsWith(PREFACE)) return preface()
  const targetEnd = skip(text, methodEnd + 1, TARGET)
  return targetEnd - methodEnd - 1 > limits.maxTargetBytes ? tooLong() : undefined
}

/** Fault of a status line of which more may come; undefined while there is none. */
export function responseStartFault(text: string): MessageFault | undefined {
  const version = text.slice(0, VERSION.length)
  return VERSION.startsWith(version) ? undefined : isTls(text) ? malformed(TLS) : malformed(NO_STATUS_LINE)
}

const PREFACE = 'PRI * HTTP/2.0'
const VERSION = 'HTTP/'
const NO_STATUS_LINE = 'the response does not begin with a status line'
const TLS = 'the message is no HTTP, it looks like TLS'

/** A TLS record begins with its type, which is alert or handshake here, and a major version of 3 (RFC 8446 section 5.1). */
function isTls(text: string): boolean {
  const type = text.charCodeAt(0)
  return (type === 0x15 || type === 0x16) && (text.length < 2 || text.charCodeAt(1) === 3)
}

const isLineEnd = (text: string, at: number) => at === text.length || text.startsWith('\r\n', at)

/** The minor version at that index. HTTP/1.2 is as unknown as HTTP/2.0: nobody has defined it. */
function minorVersion(text: string, at: number): 0 | 1 | MessageFault {
  if (text.startsWith('HTTP/1.1', at)) return 1
  if (text.startsWith('HTTP/1.0', at)) return 0
  if (/^HTTP\/\d\.\d(?!\d)/.test(text.slice(at, at + 9)))
    return new MessageFault('version', 'the version is neither HTTP/1.1 nor HTTP/1.0')
  return malformed('the start line has no valid version')
}

const BEYOND_ASCII = /[\x80-\xff]/g

function encoded(target: string): string {
  if (target.search(BEYOND_ASCII) < 0) return target
  return target.replaceAll(BEYOND_ASCII, (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase()}`)
}

/**
 * Reads the head of a response. `text` is the head in latin1 without the final CRLF CRLF; `requestMethod` decides, with the
 * status, whether there is a body (RFC 9112 section 6.3).
 * @returns a fault instead, of kind `malformed`, `head_too_large`, `coding` or `version`.
 */
export function parseResponseHead(
  text: string,
  requestMethod: string,
  limits: HeadLimits,
): ResponseHead | MessageFault {
  const line = readStatusLine(text)
  if (line instanceof MessageFault) return line
  const { status, minor } = line
  const lines = new FieldLines()
  if (line.end < text.length) {
    const fault = readFieldLines(text, line.end + 2, limits.maxFields, lines)
    if (fault !== undefined) return fault
  }
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
function readStatusLine(text: string): StatusLine | MessageFault {
  const minor = minorVersion(text, 0)
  if (minor instanceof MessageFault) return responseStartFault(text) ?? minor
  const status = statusAt(text, 8)
  if (status === 0) return malformed('the status line has no status from 100 to 599')
  const end = skip(text, 12, VALUE)
  if (!isLineEnd(text, end) || (end > 12 && text.charCodeAt(12) !== SP))
    return malformed('the reason phrase is not valid')
  return { status, statusText: end > 13 ? text.slice(13, end) : '', minor, end }
}

/** Fault of a whole status line. */
export function statusLineFault(text: string): MessageFault | undefined {
  const line = readStatusLine(text)
  return line instanceof MessageFault ? line : undefined
}

/** The status after a space at that index; 0 when it is not three digits, or not from 100 to 599. */
function statusAt(text: string, at: number): number {
  const digits = text.slice(at, at + 4)
  return /^ [1-5]\d\d$/.test(digits) ? Number(digits) : 0
}

const hasBody = (status: number, requestMethod: string) =>
  requestMethod !== 'HEAD' && status >= 200 && status !== 204 && status !== 304

/** `timeout=5, max=100` → 5. The field has no standard any more; RFC 2068 section 19.7.1.1 had it. */
function timeoutOf(keepAlive: string): number | undefined {
  const seconds = /(?:^|[,;\t ])timeout[\t ]*=[\t ]*"?(\d{1,9})(?!\d)/i.exec(keepAlive)?.[1]
  return seconds === undefined ? undefined : Number(seconds)
}
