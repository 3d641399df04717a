/**
 * A proxy of node:http and an undici pool with nothing between them: it filters no header, limits and counts nothing, never
 * retries, and relays requests without a body only. Arguments: port, origin's port.
 */

import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import { type Dispatcher, Pool } from 'undici'

const [port = 0, originPort = 0] = process.argv.slice(2).map(Number)
const pool = new Pool(`http://127.0.0.1:${originPort}`, {
  connections: 64,
  allowH2: false,
  headersTimeout: 0,
  bodyTimeout: 0,
})

class Relay implements Dispatcher.DispatchHandler {
  readonly #response: ServerResponse
  #watchesClient = false

  constructor(response: ServerResponse) {
    this.#response = response
  }

  onRequestStart(): void {}

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    this.#response.writeHead(status, headers)
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#response.destroyed) controller.abort(new Error('client gone'))
    else if (!this.#response.write(chunk)) this.#waitForClient(controller)
  }

  onResponseEnd(): void {
    this.#response.end()
  }

  onResponseError(): void {
    this.#response.destroy()
  }

  /** Pauses the response body until the client has drained its buffer. */
  #waitForClient(controller: Dispatcher.DispatchController): void {
    controller.pause()
    if (this.#watchesClient) return
    this.#watchesClient = true
    this.#response.on('drain', () => controller.resume())
    this.#response.on('close', () => controller.abort(new Error('client gone')))
  }
}

createServer((request, response) => {
  const { method = 'GET', url: path = '/', rawHeaders: headers } = request
  pool.dispatch({ method, path, headers }, new Relay(response))
}).listen(port, '127.0.0.1')
