/** Bytes that the system has taken for a socket and the other side has not: the kernel's view of a slow reader. */

import { readFileSync } from 'node:fs'
import type { Socket } from 'node:net'

const TABLES = ['/proc/self/net/tcp', '/proc/self/net/tcp6']
/** Columns of a row of these tables: local and remote address with their ports, and both queues, all in hexadecimal. */
const [LOCAL, REMOTE, QUEUES] = [1, 2, 4]

/**
 * The length of a socket's send queue in bytes. Reads the system's table of connections, so it is for the rare case in which a
 * connection is about to be cut.
 * @returns undefined where the system has no such table (Linux only), or no such connection.
 * Source: Linux, Documentation/networking/proc_net_tcp.
 */
function sendQueueBytes({ localPort, remotePort }: Pick<Socket, 'localPort' | 'remotePort'>): number | undefined {
  if (localPort === undefined || remotePort === undefined) return undefined
  const [local, remote] = [portSuffix(localPort), portSuffix(remotePort)]
  for (const table of TABLES) {
    for (const row of rowsOf(table)) {
      const columns = row.trim().split(/\s+/)
      if (!columns[LOCAL]?.endsWith(local) || !columns[REMOTE]?.endsWith(remote)) continue
      const [sending = ''] = columns[QUEUES]?.split(':') ?? []
      return Number.parseInt(sending, 16)
    }
  }
  return undefined
}

/** Bytes written to a socket that the other side has not taken: those that wait in the process and in the system. */
export const untakenBytes = (socket: Pick<Socket, 'localPort' | 'remotePort' | 'writableLength'>): number =>
  socket.writableLength + (sendQueueBytes(socket) ?? 0)

const portSuffix = (port: number) => `:${port.toString(16).toUpperCase().padStart(4, '0')}`

function rowsOf(table: string): string[] {
  try {
    return readFileSync(table, 'latin1').split('\n')
  } catch (error) {
    if (error instanceof Error && 'code' in error) return []
    throw error
  }
}
