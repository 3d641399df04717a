import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { type Clock, Watchdog } from '../../clock.ts'
import { responseHeadText } from '../../http1/write.ts'
import type { RawHeaders } from '../../net/fields.ts'

/** Interval of TCP keep-alive probes in ms. Nothing else would notice a machine that vanished. */
const KEEP_ALIVE_MS = 60_000

export type Tunnel = {
  readonly client: Duplex
  readonly upstream: Duplex
  /** Header fields of the 101. */
  readonly headers: RawHeaders
  /** Bytes that the client sent after its request. */
  readonly clientHead: Buffer
  /** Time without a byte in either direction after which the tunnel ends. */
  readonly idleMs: number
  /** Called once, when both sockets are closed. */
  readonly onOver: (end: TunnelEnd) => void
}

export type TunnelEnd = {
  /** From the client, after its request. */
  readonly bytesIn: number
  /** To the client, after the 101. */
  readonly bytesOut: number
  /** Whether it was cut after `idleMs` without a byte. */
  readonly isIdle: boolean
}

/**
 * Joins the client's and the upstream's sockets after a 101. The end of one direction is passed on while the other goes on. A
 * lost socket ends the other one, too.
 */
export function openTunnel({ client, upstream, headers, clientHead, idleMs, onOver }: Tunnel, clock: Clock): void {
  let progressAt = clock.now()
  let open = 2
  let bytesIn = clientHead.length
  let bytesOut = 0
  let isIdle = false
  const cut = () => {
    client.destroy()
    upstream.destroy()
  }
  const watchdog = new Watchdog(
    clock,
    () => progressAt + idleMs,
    () => {
      isIdle = true
      cut()
    },
  )
  const join = (from: Duplex, to: Duplex) => {
    from.allowHalfOpen = true
    if (from instanceof Socket) from.setKeepAlive(true, KEEP_ALIVE_MS)
    from.on('error', cut)
    from.once('close', () => {
      // After a clean end the other side still receives what is on its way.
      if (!from.readableEnded) to.destroy()
      open -= 1
      if (open > 0) return
      watchdog.stop()
      onOver({ bytesIn, bytesOut, isIdle })
    })
  }
  join(client, upstream)
  join(upstream, client)
  watchdog.watch()
  client.write(responseHeadText(101, undefined, headers, 'connection: upgrade\r\n'), 'latin1')
  if (clientHead.length > 0) upstream.write(clientHead)
  client.on('data', (chunk: Buffer) => {
    progressAt = clock.now()
    bytesIn += chunk.length
  })
  upstream.on('data', (chunk: Buffer) => {
    progressAt = clock.now()
    bytesOut += chunk.length
  })
  client.pipe(upstream)
  upstream.pipe(client)
}
