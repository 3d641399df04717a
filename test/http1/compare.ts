/** Compares the codec with llhttp on the same bytes: it may refuse more, but never take more, nor see another message. */

import { readWithLlhttp } from './llhttp.ts'
import { type Message, type Outcome, piecesOf, readRequests, readResponses } from './messages.ts'
import type { Stream } from './generated.ts'

export type Comparison = {
  /** How the codec differs in what it must not; '' when it does not. */
  readonly defect: string
  /** Reason for which the codec alone refuses; '' when llhttp refuses, too, or both take it. */
  readonly stricter: string
  /** Whole messages that both have read, equally. */
  readonly agreed: number
}

/** Where the codec refuses what llhttp takes, by the reason it gives, and why it does. A reason that is not here is a defect. */
export const STRICTER: Readonly<Record<string, string>> = {
  'coding: the Transfer-Encoding has a coding besides chunked':
    'RFC 9112 section 6.1: 501 for a coding that nobody here decodes; llhttp passes its bytes on as content',
  'malformed: a CR alone is before the request': 'RFC 9112 section 2.2: only CRLF is skipped there',
  'malformed: a LF alone is before the request': 'RFC 9112 section 2.2: only CRLF is skipped there',
  'malformed: too many empty lines are before the request': 'RFC 9112 section 2.2: at least one is skipped; here 16',
  'malformed: a CR or LF ends no line, or there is a control character':
    'RFC 9112 section 4: a reason phrase has no control characters',
  'malformed: the reason phrase is not valid': 'RFC 9112 section 4: a reason phrase has no control characters',
  'malformed: a chunk extension is not valid':
    'RFC 9112 section 7.1.1: a value after "=" is a token or a quoted string',
  'malformed: a chunk size is not hexadecimal digits alone':
    'RFC 9112 section 7.1: chunk-size is 1*HEXDIG; node:http told of no fault where the request had an Upgrade',
  'malformed: a chunk size is too large': 'RFC 9112 section 7.1: large numerals; above 2^53-1, or over 16 digits',
  'malformed: a framing field has a tab beside its value':
    'RFC 9112 section 11.2: parsers differ there; llhttp itself takes a tab before the value and refuses one after it',
  'malformed: an HTTP/1.0 message has a Transfer-Encoding': 'RFC 9112 section 6.1: faulty framing',
  'malformed: the HTTP/1.1 request has no Host field': 'RFC 9112 section 3.2; node:http checks it after llhttp',
  'malformed: the request has several Host fields': 'RFC 9112 section 3.2',
  'malformed: the Host field is not a valid host and port': 'RFC 9112 section 3.2',
  'malformed: the Content-Length is not a number of bytes, or larger than 2^53-1': 'RFC 9112 section 6.3: above 2^53-1',
  'malformed: the Transfer-Encoding does not end in chunked':
    'RFC 9112 section 6.3: 400 for a request without a known end',
  'malformed: the Transfer-Encoding is no list of codings without parameters':
    'RFC 9112 sections 6.1 and 7.1: chunked has no parameters, a coding is a token; llhttp reads to the end of the connection',
  'malformed: the Transfer-Encoding has chunked twice, or not as its last coding':
    'RFC 9112 section 6.1: chunked is applied once, last; llhttp reads to the end of the connection',
  'malformed: the request line is not method, target and version with one space between':
    'RFC 9112 section 3: single spaces, and a version: llhttp takes HTTP/0.9',
  'malformed: the start line has no valid version':
    'RFC 9112 section 3: llhttp takes several spaces before the version',
  'malformed: the response does not begin with a status line':
    'RFC 9112 section 2.2: empty lines precede only requests',
  'malformed: the status line has no status of three digits from 100 on':
    'RFC 9112 section 4: three digits; RFC 9110 section 15: of the statuses below 100 none is valid',
  'malformed: the trailers have a field that frames or routes a message': 'RFC 9110 section 6.5.1',
  'preface: the client speaks HTTP/2, this listener HTTP/1.1': 'RFC 9113 section 11.6: the method PRI is reserved',
  'version: the version is neither HTTP/1.1 nor HTTP/1.0': 'RFC 9112 section 2.3: llhttp takes 0.9 and 2.0',
}

export function compareRequests({ bytes, cuts }: Stream): Comparison {
  const pieces = piecesOf(bytes, cuts)
  const ours = readRequests(pieces)
  return compareOfRequests(bytes, ours, readWithLlhttp(pieces, undefined))
}

/** As compareRequests, for two servers, which do not tell trailers. */
export function compareServers(bytes: Buffer, ours: Outcome, theirs: Outcome): Comparison {
  return compareOfRequests(bytes, ours, theirs, (message) => ({ ...message, trailers: [] }))
}

function compareOfRequests(
  bytes: Buffer,
  ours: Outcome,
  theirs: Outcome,
  told: (message: Message) => Message = (message) => message,
): Comparison {
  if (!isDecidedElsewhere(ours, theirs)) return compare(ours, theirs)
  const same = withPlainLine(bytes)
  const [first, ...more] = ours.messages
  const plain = first && { ...first, start: 'POST', target: '/' }
  const { messages, error } = readWithLlhttp([same], undefined)
  return compare({ ...ours, messages: plain ? [plain, ...more] : [] }, { messages: messages.map(told), error })
}

export function compareResponses({ bytes, cuts }: Stream, asked: readonly string[]): Comparison {
  const pieces = piecesOf(bytes, cuts)
  const ours = readResponses(pieces, asked)
  const theirs = readWithLlhttp(pieces, asked)
  // llhttp takes `Connection: close` in an interim response, or HTTP/1.0 there, for the end of the connection. It is about the
  // final one (RFC 9112 section 9.6): the comparison ends there.
  const read = theirs.messages.length
  if (theirs.error !== 'HPE_CLOSED_CONNECTION' || !(Number(theirs.messages[read - 1]?.start) < 200))
    return compare(ours, theirs)
  return compare({ messages: ours.messages.slice(0, read), error: theirs.error }, theirs)
}

/**
 * llhttp knows some methods, some forms of targets and no bytes above 0x7F in them. The codec relays any method (RFC 9110
 * section 9.1) and encodes such bytes; src/proxy/listener/target.ts decides which forms are served. For the first message, the
 * comparison is made with a plain line instead; it ends before a later one.
 */
const isDecidedElsewhere = (ours: Outcome, theirs: Outcome) =>
  /^HPE_INVALID_(?:METHOD|URL|CONSTANT)$/.test(theirs.error) && theirs.messages.length < ours.messages.length

function withPlainLine(bytes: Buffer): Buffer {
  const text = bytes.toString('latin1')
  return Buffer.from(text.replace(/^([\r\n]*)[^ ]+ [^ ]+ (?=HTTP\/1\.[01]\r\n)/, '$1POST / '), 'latin1')
}

function compare(ours: Outcome, theirs: Outcome): Comparison {
  let agreed = 0
  for (const [index, message] of ours.messages.entries()) {
    const other = theirs.messages[index]
    if (!other) {
      if (index > 0 && isDecidedElsewhere(ours, theirs)) return { defect: '', stricter: '', agreed }
      return { defect: `takes a message that llhttp refuses: ${theirs.error}`, stricter: '', agreed }
    }
    const defect = messageDefect(message, other, theirs.error)
    if (defect !== '') return { defect, stricter: '', agreed }
    agreed += message.isWhole ? 1 : 0
    // To llhttp the connection ends here, so that it reads nothing of what follows.
    if (!other.keepAlive && hasProxyConnectionClose(message.headers)) return { defect: '', stricter: '', agreed }
  }
  if (ours.error === '') {
    const isOver = theirs.error === '' || ours.messages.at(-1)?.isLast === true
    return { defect: isOver ? '' : `takes what llhttp refuses: ${theirs.error}`, stricter: '', agreed }
  }
  return { defect: '', stricter: theirs.error === '' && !isMissing(ours) ? ours.error : '', agreed }
}

/** There were fewer responses than requests: llhttp does not know the number. */
const isMissing = ({ error }: Outcome) => error === 'incomplete: the connection ended before a response'

/** Trailer fields that the codec drops. */
const DROPPED = /^(?:date|cookie|expect|keep-alive|te|trailer|proxy-connection)$/i

export const isDroppedTrailer = (name: string): boolean => DROPPED.test(name)

function messageDefect(ours: Message, theirs: Message, theirError: string): string {
  for (const part of ['start', 'target', 'minor'] as const)
    if (ours[part] !== theirs[part]) return `reads another ${part}: ${ours[part]}, not ${theirs[part]}`
  if (ours.headers.join('\n') !== theirs.headers.join('\n')) return 'reads other headers'
  if (ours.start === 'CONNECT') return ''
  if (!ours.isWhole)
    return theirs.body.startsWith(ours.body) || ours.body.startsWith(theirs.body) ? '' : 'reads another body'
  if (!theirs.isWhole) return `takes a message that llhttp refuses: ${theirError}`
  if (ours.body !== theirs.body) return 'reads another body'
  const kept = theirs.trailers.filter((_, i) => !isDroppedTrailer(theirs.trailers[i - (i % 2)] ?? ''))
  if (ours.trailers.join('\n') !== kept.join('\n')) return 'reads other trailers'
  const isKept = ours.keepAlive && !theirs.keepAlive && !hasProxyConnectionClose(ours.headers)
  return isKept ? 'keeps a connection that llhttp closes' : ''
}

/**
 * llhttp takes Proxy-Connection for Connection. RFC 9112 appendix C.2.2: it was never defined, and is not to be sent; the codec
 * reads nothing into it. @param headers name, value, name, value, …
 */
const hasProxyConnectionClose = (headers: readonly string[]) =>
  headers.some((value, i) => i % 2 === 1 && /^proxy-connection$/i.test(headers[i - 1] ?? '') && /close/i.test(value))
