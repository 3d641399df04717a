import { connect, type Socket } from 'node:net'

/** Connections that are opened at once: more would overflow the listener's backlog. */
const AT_ONCE = 100

/**
 * Opens connections and sends one GET over each.
 * @param targetOf target of the request of each connection. @param answered whether to wait for the answers.
 * @returns closes them.
 */
export async function openClients(
  port: number,
  count: number,
  targetOf: (n: number) => string,
  answered: boolean,
): Promise<() => void> {
  const sockets: Socket[] = []
  for (let first = 0; first < count; first += AT_ONCE) {
    const batch = Array.from({ length: Math.min(AT_ONCE, count - first) }, (_, i) => targetOf(first + i))
    sockets.push(...(await Promise.all(batch.map((target) => opened(port, target, answered)))))
  }
  return () => {
    for (const socket of sockets) socket.destroy()
  }
}

function opened(port: number, target: string, answered: boolean): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', reject)
    socket.write(`GET ${target} HTTP/1.1\r\nhost: bench\r\n\r\n`, () => {
      if (!answered) resolve(socket)
    })
    socket.on('data', () => resolve(socket))
  })
}
