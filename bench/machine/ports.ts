import { once } from 'node:events'
import { createServer } from 'node:net'

/** @returns a free port of 127.0.0.1. The port is not reserved: another process may take it. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('the port of a TCP server is a number')
  return address.port
}
