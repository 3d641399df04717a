import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Clock } from '../../clock.ts'

/**
 * Protocol that a request asks to switch to, when a gateway can do so. A request with content, with several protocols or with
 * one that is not listed is served as a plain request (RFC 9110 section 7.8).
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

/** Time in ms for which a client may go on sending after its last response. */
const LINGER_MS = 5_000

/**
 * Gives a response the socket that node handed over, and ends the connection with it. What the client still sends is read and
 * dropped for five seconds, so that its end is noticed.
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
