/** Writes heads and chunk framing as latin1 text. A field that would split a message is a defect of the caller: TypeError. */

import type { RawHeaders } from '../net/fields.ts'

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/
const TARGET = /^[\x21-\x7e]+$/

/** Line that ends a chunk's content. */
export const CHUNK_END = '\r\n'

/** Line that says that a body is chunked. */
export const CHUNKED_LINE = 'transfer-encoding: chunked\r\n'

/** End of a chunked body without trailers. */
export const LAST_CHUNK = '0\r\n\r\n'

/** A complete 100 Continue. */
export const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n'

/**
 * Text of the head of an HTTP/1.1 request. `headers` must not have Host or Transfer-Encoding.
 * @param added further lines, each with its line end, that the connection is the author of.
 * @throws TypeError for a method, target, name or value with a character that does not belong there, and for a field that the
 * writer adds itself.
 */
export function requestHeadText(
  line: { readonly method: string; readonly target: string; readonly host: string },
  headers: RawHeaders,
  added: string,
): string {
  const { method, target, host } = line
  if (!TOKEN.test(method)) throw new TypeError('the method is no token')
  if (!TARGET.test(target)) throw new TypeError('the request target is not valid')
  return `${method} ${target} HTTP/1.1\r\nhost: ${valid(host)}\r\n${fieldLines(headers, true)}${added}\r\n`
}

/**
 * Text of the head of an HTTP/1.1 response. `headers` must not have Transfer-Encoding.
 * @param statusText undefined for the registered one. @param added as for a request.
 * @throws TypeError as requestHeadText does, and for a status that is not 100 to 999.
 */
export function responseHeadText(
  status: number,
  statusText: string | undefined,
  headers: RawHeaders,
  added: string,
): string {
  if (!(Number.isInteger(status) && status >= 100 && status <= 999)) throw new TypeError('the status is not valid')
  const reason = statusText === undefined ? reasonOf(status) : valid(statusText)
  return `HTTP/1.1 ${status} ${reason}\r\n${fieldLines(headers, false)}${added}\r\n`
}

/** Line before a chunk of that many bytes, which must be more than 0; `CHUNK_END` goes after the chunk. */
export function chunkHead(bytes: number): string {
  if (!(Number.isSafeInteger(bytes) && bytes > 0)) throw new TypeError('a chunk has at least one byte')
  return `${bytes.toString(16)}\r\n`
}

/**
 * End of a chunked body, with trailer fields.
 * @throws TypeError for a name or value that is not valid, and for Host, Content-Length and Transfer-Encoding.
 */
export const lastChunk = (trailers: RawHeaders): string =>
  trailers.length === 0 ? LAST_CHUNK : `0\r\n${fieldLines(trailers, true)}\r\n`

function fieldLines(headers: RawHeaders, isHostAdded: boolean): string {
  let lines = ''
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] ?? ''
    if (!TOKEN.test(name)) throw new TypeError('a field name is no token')
    if (isAdded(name, isHostAdded)) throw new TypeError(`${name} is a field that the writer adds itself`)
    lines += `${name}: ${valid(headers[i + 1] ?? '')}\r\n`
  }
  return lines
}

/** Compares lengths first: most names need no conversion to lower case. */
function isAdded(name: string, isHostAdded: boolean): boolean {
  switch (name.length) {
    case 4:
      return isHostAdded && name.toLowerCase() === 'host'
    case 17:
      return name.toLowerCase() === 'transfer-encoding'
  }
  return false
}

/** Characters above 0xFF are not valid either: as latin1, U+010A would be a line feed. */
function valid(value: string): string {
  if (!VALUE.test(value)) throw new TypeError('a field value or reason has a character that is not valid')
  return value
}

/** Reason phrases by status: RFC 9110 section 15, and the IANA registry for the others. */
const REASONS: Readonly<Record<number, string>> = {
  100: 'Continue',
  101: 'Switching Protocols',
  102: 'Processing',
  103: 'Early Hints',
  200: 'OK',
  201: 'Created',
  202: 'Accepted',
  203: 'Non-Authoritative Information',
  204: 'No Content',
  205: 'Reset Content',
  206: 'Partial Content',
  207: 'Multi-Status',
  208: 'Already Reported',
  226: 'IM Used',
  300: 'Multiple Choices',
  301: 'Moved Permanently',
  302: 'Found',
  303: 'See Other',
  304: 'Not Modified',
  305: 'Use Proxy',
  307: 'Temporary Redirect',
  308: 'Permanent Redirect',
  400: 'Bad Request',
  401: 'Unauthorized',
  402: 'Payment Required',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  406: 'Not Acceptable',
  407: 'Proxy Authentication Required',
  408: 'Request Timeout',
  409: 'Conflict',
  410: 'Gone',
  411: 'Length Required',
  412: 'Precondition Failed',
  413: 'Content Too Large',
  414: 'URI Too Long',
  415: 'Unsupported Media Type',
  416: 'Range Not Satisfiable',
  417: 'Expectation Failed',
  421: 'Misdirected Request',
  422: 'Unprocessable Content',
  423: 'Locked',
  424: 'Failed Dependency',
  425: 'Too Early',
  426: 'Upgrade Required',
  428: 'Precondition Required',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  451: 'Unavailable For Legal Reasons',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
  505: 'HTTP Version Not Supported',
  506: 'Variant Also Negotiates',
  507: 'Insufficient Storage',
  508: 'Loop Detected',
  511: 'Network Authentication Required',
}

/** The registered reason phrase of a status; '' for others. */
export const reasonOf = (status: number): string => REASONS[status] ?? ''
