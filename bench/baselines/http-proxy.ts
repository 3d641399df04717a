/** http-proxy with keep-alive connections to the origin. Arguments: port, origin's port. */

import { Agent, createServer } from 'node:http'
import httpProxy from 'http-proxy'

const [port = 0, originPort = 0] = process.argv.slice(2).map(Number)
const proxy = httpProxy.createProxyServer({
  target: `http://127.0.0.1:${originPort}`,
  agent: new Agent({ keepAlive: true }),
})

createServer((request, response) => {
  proxy.web(request, response, {}, () => {
    if (response.headersSent) return void response.destroy()
    // http-proxy may go on writing to it.
    response.on('error', () => response.destroy())
    for (const name of response.getHeaderNames()) response.removeHeader(name)
    response.writeHead(502, 'Bad Gateway').end()
  })
}).listen(port, '127.0.0.1')
