/** Bytes of messages, as latin1 text. */

export const HOST = 'Host: a.example'

/** A head of these lines. */
export const head = (...lines: readonly string[]) => `${lines.join('\r\n')}\r\n\r\n`

export const get = (target = '/', ...fields: readonly string[]) => head(`GET ${target} HTTP/1.1`, HOST, ...fields)

/** A POST without framing of its own. */
export const post = (body: string, ...fields: readonly string[]) => head('POST / HTTP/1.1', HOST, ...fields) + body

/** A POST of a chunked body, given as it goes over the wire. */
export const chunked = (chunks: string, ...fields: readonly string[]) =>
  post(chunks, 'Transfer-Encoding: chunked', ...fields)

/** A response, without framing of its own. */
export const answer = (status: string, body: string, ...fields: readonly string[]) =>
  head(`HTTP/1.1 ${status}`, 'Date: Thu, 01 Jan 2026 00:00:00 GMT', ...fields) + body

export const ok = (body: string, ...fields: readonly string[]) =>
  answer('200 OK', body, `Content-Length: ${body.length}`, ...fields)

export const HELLO = '5\r\nhello\r\n0\r\n\r\n'
