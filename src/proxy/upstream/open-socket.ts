import { connect as connectPlain, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { Names } from '../../net/dns-cache.ts'
import { serverNameOf, trusting } from '../../net/tls/trust.ts'

export type TransportSettings = {
  /** Scheme, host and port of the upstream. */
  readonly origin: URL
  /** Time in ms after which an idle connection is closed. Must be less than the upstream's keep-alive. */
  readonly idleMs: number
  /** Time between two DNS lookups of the upstream's name, in ms. */
  readonly resolveMs: number
  /** PEM text of certificate authorities to trust besides the default ones; '' for none. */
  readonly ca: string
  /** PEM text of the client certificate and its key; '' for none. */
  readonly cert: string
  readonly key: string
  /** Server name for SNI and the certificate; '' for the origin's host. */
  readonly servername: string
  /** Whether HTTP/2 is used where the upstream offers it. */
  readonly http2: boolean
}

/** The host without the brackets of an IPv6 address. */
export const hostOf = ({ hostname }: URL) => hostname.replace(/^\[|\]$/g, '')

/**
 * Opens sockets to the upstream. Each calls `onConnected` when it is connected, including TLS.
 * @param protocols names for ALPN, the preferred one first.
 */
export function opener(
  settings: TransportSettings,
  names: Names,
  protocols: readonly string[],
): (onConnected: () => void) => Socket {
  const { origin, ca, cert, key, servername } = settings
  const { lookup } = names
  const host = hostOf(origin)
  const isTls = origin.protocol === 'https:'
  const port = Number(origin.port) || (isTls ? 443 : 80)
  const name = serverNameOf(origin, servername)
  // Made here, since the first call would stop all others for as long as that takes.
  const trust = isTls ? trusting(ca, { cert, key }) : undefined
  const encrypted = (onConnected: () => void) => {
    const tls = { host, port, lookup, secureContext: trust, ALPNProtocols: [...protocols] }
    return connectTls(name === '' ? tls : { ...tls, servername: name }, onConnected)
  }
  return (onConnected) => {
    const socket = isTls ? encrypted(onConnected) : connectPlain({ host, port, lookup, noDelay: true }, onConnected)
    // Of a name with several addresses, one that takes no connection is tried last for a while.
    const avoid = (address: string) => names.avoid(host, address)
    return socket.on('connectionAttemptTimeout', avoid).on('connectionAttemptFailed', avoid)
  }
}

/** Open sockets, including those that connect. */
export class Sockets {
  readonly #all = new Set<Socket>()
  #onClosed = () => {}

  add(socket: Socket): void {
    this.#all.add(socket)
    socket.once('close', () => {
      this.#all.delete(socket)
      if (this.#all.size === 0) this.#onClosed()
    })
  }

  /** Closes them. Resolves when all are closed. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#all.size === 0) return resolve()
      this.#onClosed = resolve
      for (const socket of this.#all) socket.destroy()
    })
  }
}
