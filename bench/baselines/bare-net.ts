/**
 * A proxy of node:net both ways with the smallest HTTP/1.1 parser that can do it: the floor of what Node can do. It trusts what it
 * reads, relays requests without a body and responses with a Content-Length only, and answers nothing else. Arguments: port,
 * origin's port.
 */

import { connect, createServer, type Socket } from 'node:net'

const [port = 0, originPort = 0] = process.argv.slice(2).map(Number)
const HEAD_END = '\r\n\r\n'

/** An idle connection to the origin, and what takes its next response. */
type Upstream = { readonly socket: Socket; take: (chunk: Buffer) => void }
const idle: Upstream[] = []

function opened(): Upstream {
  const upstream: Upstream = { socket: connect({ port: originPort, host: '127.0.0.1', noDelay: true }), take: () => {} }
  upstream.socket.on('data', (chunk: Buffer) => upstream.take(chunk))
  upstream.socket.on('error', () => upstream.socket.destroy())
  return upstream
}

/** Bytes of a response that are still to come, from the chunk with its head. */
function bytesLeft(chunk: Buffer): number {
  const end = chunk.indexOf(HEAD_END)
  const length = /\r\ncontent-length: (\d+)/i.exec(chunk.toString('latin1', 0, end))?.[1]
  return Number(length ?? 0) - (chunk.length - end - HEAD_END.length)
}

function relay(client: Socket, head: string): void {
  const upstream = idle.pop() ?? opened()
  let left = -1
  upstream.take = (chunk) => {
    left = left < 0 ? bytesLeft(chunk) : left - chunk.length
    client.write(chunk)
    if (left === 0) idle.push(upstream)
  }
  const [line = '', ...fields] = head.split('\r\n')
  const kept = fields.filter((field) => !/^(?:host|connection):/i.test(field))
  kept.push(`host: 127.0.0.1:${originPort}`, 'x-forwarded-for: 127.0.0.1', 'x-forwarded-proto: http')
  upstream.socket.write(`${line}\r\n${kept.join('\r\n')}${HEAD_END}`, 'latin1')
}

createServer({ noDelay: true }, (client) => {
  let text = ''
  client.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1')
    const end = text.indexOf(HEAD_END)
    if (end < 0) return
    const head = text.slice(0, end)
    text = text.slice(end + HEAD_END.length)
    relay(client, head)
  })
  client.on('error', () => client.destroy())
}).listen(port, '127.0.0.1')
