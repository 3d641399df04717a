import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/**
 * The protocol that a request asks to switch to and that makes sense through a gateway. A request with content, one that
 * offers several protocols, or one that is not listed, is served as the plain request that it also is (RFC 9110 section 7.8).
 * @param listed names in lower case.
 */
export function askedProtocol(
  { headers, httpVersion }: IncomingMessage,
  listed: ReadonlySet<string>,
): string | undefined {
  const asked = headers.upgrade?.trim()
  if (asked === undefined || httpVersion !== '1.1' || !listed.has(asked.toLowerCase())) return undefined
  const hasContent = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
  return hasContent ? undefined : asked
}

/** Gives a response a socket that node has handed over; the connection ends with it. */
export function answerOn(socket: Socket, response: ServerResponse): void {
  response.shouldKeepAlive = false
  response.assignSocket(socket)
  response.once('finish', () => {
    response.detachSocket(socket)
    socket.end()
    response.emit('close')
  })
}
