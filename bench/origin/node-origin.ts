/** Origin where nginx is not installed. Arguments: port. */

import { createServer } from 'node:http'
import { Readable } from 'node:stream'
import { JSON_ANSWER } from './answers.ts'

const CHUNK = Buffer.alloc(64 * 1024)
const [port = 0] = process.argv.slice(2).map(Number)

createServer((request, response) => {
  const size = /^\/bytes\/(\d+)$/.exec(request.url ?? '')?.[1]
  if (size === undefined) {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': JSON_ANSWER.length })
    response.end(JSON_ANSWER)
    return
  }
  response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': size })
  const body = Readable.from(chunks(Number(size)), { objectMode: false }).pipe(response)
  response.on('close', () => body.destroy())
}).listen(port, '127.0.0.1')

function* chunks(bytes: number) {
  for (let left = bytes; left > 0; left -= CHUNK.length) yield CHUNK.subarray(0, Math.min(left, CHUNK.length))
}
