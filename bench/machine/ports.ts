import { once } from 'node:events'
import { createServer } from 'node:net'

/** @returns a port of 127.0.0.1 that nobody listens on; it stays free until someone else happens to take it. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('the port of a TCP server is a number')
  return address.port
}
