import { once } from 'node:events'
import { createServer } from 'node:net'

let last = 12_000 + (process.pid % 200) * 50

/**
 * A free port of 127.0.0.1, each only once. All are below the ports that the kernel gives to connections (32768 on Linux),
 * so that nobody takes the port of an upstream while it is away.
 */
export async function nextPort(): Promise<number> {
  for (;;) {
    last += 1
    const port = last
    if (await isFree(port)) return port
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  try {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
  } catch {
    return false
  }
  server.close()
  await once(server, 'close')
  return true
}
