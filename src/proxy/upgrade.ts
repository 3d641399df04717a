import { type IncomingMessage, ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

/**
 * The protocol that a request asks to switch to. HTTP/2 over cleartext is not offered: such a request is served as the
 * HTTP/1.1 that it also is (RFC 9110 section 7.8).
 */
export function askedProtocol(request: IncomingMessage): string | undefined {
  const asked = request.headers.upgrade?.trim()
  return asked === undefined || asked === '' || /^h2c?\b/i.test(asked) ? undefined : asked
}

/**
 * A response on a socket that Node has handed over to us, for what is not switched after all. Its last one. Node has taken
 * its own listeners with it: without one of ours a client that resets the connection would end the process.
 */
export function responseOn(socket: Duplex, request: IncomingMessage): ServerResponse {
  socket.on('error', () => socket.destroy())
  // Nor would it be known to have left, as nobody reads: its end is looked for, and what it sends before waits.
  socket.on('readable', () => {
    if (socket.readableLength === 0) socket.read(0)
  })
  socket.on('end', () => {
    if (response.socket !== null) socket.destroy()
  })
  const response = new ServerResponse(request)
  response.shouldKeepAlive = false
  // Node hands over the net.Socket of its own server, under a wider type.
  response.assignSocket(socket as Socket)
  response.once('finish', () => {
    response.detachSocket(socket as Socket)
    socket.end()
    response.emit('close')
  })
  return response
}

/**
 * Joins the client's and the upstream's sockets after a 101, byte for byte, until either ends.
 * @param headers end-to-end fields of the 101.
 * @param clientHead what the client sent on the heels of its request.
 */
export function joinSockets(client: Duplex, clientHead: Buffer, upstream: Duplex, headers: string[]): void {
  const lines = [`HTTP/1.1 101 ${STATUS_CODES[101]}`]
  for (let i = 0; i < headers.length; i += 2) lines.push(`${headers[i]}: ${headers[i + 1]}`)
  client.write(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
  if (clientHead.length > 0) upstream.write(clientHead)
  client.removeAllListeners('readable').pipe(upstream)
  upstream.pipe(client)
  const endBoth = () => {
    client.destroy()
    upstream.destroy()
  }
  client.on('error', endBoth).on('close', endBoth)
  upstream.on('error', endBoth).on('close', endBoth)
}
