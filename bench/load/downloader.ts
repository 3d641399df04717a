/**
 * Downloads the same body again and again and discards it. It reads by node:net into one buffer, so that the load costs
 * little CPU itself. Downloads under way at the end of the time are finished.
 * Arguments: url, connections, seconds, bytes of one body. Prints one line of JSON, a Haul (see haul.ts).
 */

import { connect } from 'node:net'

const HEAD_END = '\r\n\r\n'

const [target = '', connections, seconds, size] = process.argv.slice(2)
const url = new URL(target)
const bodyBytes = Number(size)
const request = `GET ${url.pathname} HTTP/1.1\r\nHost: ${url.host}\r\n\r\n`

const beganAt = performance.now()
const hauls = await Promise.all(Array.from({ length: Number(connections) }, takeBodies))
const haul = {
  bodies: hauls.reduce((sum, bodies) => sum + bodies, 0),
  seconds: (performance.now() - beganAt) / 1000,
}
process.stdout.write(`${JSON.stringify(haul)}\n`)

/** @returns the number of whole bodies received on one connection. */
function takeBodies(): Promise<number> {
  return new Promise((resolve, reject) => {
    let bodies = 0
    let head = ''
    /** Bytes left of the current body; undefined until its response head is complete. */
    let leftBytes: number | undefined
    const socket = connect({
      host: url.hostname,
      port: Number(url.port),
      onread: { buffer: Buffer.alloc(256 * 1024), callback: (bytes, buffer) => take(buffer.subarray(0, bytes)) },
    })
    const ask = () => {
      head = ''
      leftBytes = undefined
      socket.write(request)
    }
    const take = (chunk: Uint8Array) => {
      leftBytes = leftBytes === undefined ? leftAfterHead(chunk) : leftBytes - chunk.length
      if (leftBytes === 0) finishBody()
      return true
    }
    const leftAfterHead = (chunk: Uint8Array) => {
      const began = head.length
      head += Buffer.from(chunk).toString('latin1')
      const end = head.indexOf(HEAD_END)
      if (end < 0) return undefined
      if (!isExpected(head.slice(0, end))) socket.destroy(new Error(`unexpected answer: ${head.slice(0, end)}`))
      return bodyBytes - (began + chunk.length - end - HEAD_END.length)
    }
    const finishBody = () => {
      bodies += 1
      if (performance.now() - beganAt < Number(seconds) * 1000) ask()
      else socket.destroy()
    }
    socket.on('connect', ask)
    socket.on('error', reject)
    socket.on('end', () => reject(new Error(`connection closed, ${leftBytes} bytes before the end of a body`)))
    socket.on('close', () => resolve(bodies))
  })
}

/** Whether the response is a 200 with a Content-Length of `bodyBytes`, the only response that `takeBodies` can read. */
function isExpected(head: string): boolean {
  return /^HTTP\/1\.1 200 /.test(head) && new RegExp(`\r\ncontent-length: ${bodyBytes}(\r|$)`, 'i').test(head)
}
