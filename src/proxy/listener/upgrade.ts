import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Clock } from '../../clock.ts'

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

/** How long a client may go on sending once its last response has been written, in ms. */
const LINGER_MS = 5_000

/**
 * Gives a response a socket that node has handed over; the connection ends with it. What the client still sends is read and
 * dropped, so that its end is seen, but for five seconds alone.
 */
export function answerOn(socket: Socket, response: ServerResponse, clock: Clock): void {
  response.shouldKeepAlive = false
  response.assignSocket(socket)
  response.once('finish', () => {
    response.detachSocket(socket)
    socket.removeAllListeners('readable').resume()
    socket.end()
    const timer = clock.after(LINGER_MS, () => socket.destroy())
    socket.once('close', () => clock.cancel(timer))
    response.emit('close')
  })
}
