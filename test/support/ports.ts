/** Ports of 127.0.0.1 that the system chooses. */

import { createServer, type Server } from 'node:net'
import type { Scope } from './scripted-upstream.ts'

/** Makes a server listen on a free port. @returns the port. */
export async function listening(server: Server, host = '127.0.0.1'): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, host, resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the port of a TCP server is a number')
  return address.port
}

/** @returns a port that nothing listens on. It is not reserved: another process may take it. */
export async function freePort(): Promise<number> {
  const server = createServer()
  const port = await listening(server)
  await new Promise<void>((resolve) => server.close(() => resolve()))
  return port
}

/** @returns a port that another server listens on until the test is over. */
export async function takenPort(t: Scope): Promise<number> {
  const server = createServer()
  const port = await listening(server)
  t.onTestFinished(() => void server.close())
  return port
}
