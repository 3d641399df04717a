/** Binds servers to addresses, with errors that name the cause. */

import type { Server } from 'node:net'

export type Address = { readonly host: string; readonly port: number }

const FAULTS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is in use',
  EACCES: 'no permission to listen there',
  EADDRNOTAVAIL: 'no such address on this machine',
}

/**
 * @param key of the configuration that names the address, for the error.
 * @returns the bound address, with the port that the system chose for port 0.
 * @throws Error such as `listen 127.0.0.1:8080: the port is in use`.
 */
export function listenOn(server: Server, key: string, wanted: Address): Promise<Address> {
  return new Promise((resolve, reject) => {
    const refuse = (error: Error & { code?: string }) => {
      reject(new Error(`${key} ${written(wanted)}: ${FAULTS[error.code ?? ''] ?? error.message}`, { cause: error }))
    }
    server.once('error', refuse)
    server.listen({ host: wanted.host, port: wanted.port }, () => {
      server.off('error', refuse)
      const bound = server.address()
      if (bound === null || typeof bound === 'string') reject(new TypeError(`${key} is not bound to a port`))
      else resolve({ host: bound.address, port: bound.port })
    })
  })
}

/** Formats an address: `127.0.0.1:8080`, `[::1]:8080`. */
export const written = ({ host, port }: Address) => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`)
