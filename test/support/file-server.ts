/** A process that serves one file with ranges, as starlette's FileResponse does. Arguments: port, file. */

import { createReadStream, statSync } from 'node:fs'
import { createServer } from 'node:http'

const [port = '0', file = ''] = process.argv.slice(2)
const { size, mtimeMs } = statSync(file)
const tag = `"${mtimeMs}-${size}"`

createServer((request, response) => {
  const [, from] = /^bytes=(\d+)-$/.exec(request.headers.range ?? '') ?? []
  const isPart = from !== undefined && request.headers['if-range'] === tag
  const start = isPart ? Number(from) : 0
  response.writeHead(isPart ? 206 : 200, {
    'content-length': size - start,
    'accept-ranges': 'bytes',
    etag: tag,
    ...(isPart ? { 'content-range': `bytes ${start}-${size - 1}/${size}` } : {}),
  })
  createReadStream(file, { start }).pipe(response)
}).listen(Number(port), '127.0.0.1', () => process.stdout.write('listening\n'))
