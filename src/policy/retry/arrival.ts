/** Responses that are held back until their body is whole, so that one which breaks off or stalls can be repeated. */

import { type Clock, Watchdog } from '../../clock.ts'
import { ProxyError } from '../../errors.ts'
import type { BodyEnd } from '../../events.ts'
import { firstField } from '../../net/fields.ts'
import type { Exchange, Reply } from '../exchange.ts'
import { outOfTime } from '../out-of-time.ts'

/** Largest body that is held back: as much as a reply that nobody reads takes in. */
export const HELD_BACK_BYTES = 64 * 1024
/** Time in ms after the head in which the body of a small response comes, if it comes at its usual pace. */
const SOON_MS = 250

/**
 * Whether a response may be held back: its body is read whole before any of it is relayed, or it says that it is small. A
 * response of unknown length may be a stream, whose head its client waits for.
 * @param inspectBytes largest body that policies read.
 */
export function mayBeHeldBack(reply: Reply, { readsWhole }: Exchange, inspectBytes: number): boolean {
  if (reply.socket !== undefined || reply.early) return false
  const length = firstField(reply.headers, 'content-length')
  if (length !== undefined) return Number(length) <= Math.min(inspectBytes, HELD_BACK_BYTES)
  return readsWhole(reply)
}

/** How a reply's body ended; undefined while it has not. */
export function endOf(reply: Reply): BodyEnd | undefined {
  let end: BodyEnd | undefined
  reply.onClosed((ended) => {
    end = ended
  })
  return end
}

/**
 * Waits until the body is whole, or shows that it comes at a pace of its own: a part of it that comes late is relayed at once, and
 * so are those before it. As a rule the body has come with its head, and nothing waits.
 * @param stallMs time without a byte after which the body has stalled; Infinity where no other attempt could follow.
 * @returns the fault of a body that broke off or stalled, of which nothing was relayed. The stalled reply is left as it is.
 * undefined when the reply is to be relayed as it comes. @throws ProxyError when the client leaves.
 */
export function faultIn(
  reply: Reply,
  stallMs: number,
  exchange: Exchange,
  clock: Clock,
): Promise<ProxyError | undefined> {
  const { client, timeouts } = exchange
  const readsWhole = exchange.readsWhole(reply)
  return new Promise((resolve, reject) => {
    const headAt = clock.now()
    const isBounded = stallMs !== Number.POSITIVE_INFINITY
    let progressAt = headAt
    let stalledBefore = clock.stalledMs()
    let bytes = 0
    let isOver = false
    const end = () => {
      isOver = true
      watchdog.stop()
      client.unlisten(onGone)
    }
    const settle = (fault: ProxyError | undefined) => {
      if (isOver) return
      end()
      resolve(fault)
    }
    const onGone = () => {
      if (isOver) return
      end()
      reply.discard(client.goneAs === 'client_gone' ? 'cancelled' : client.goneAs)
      reject(new ProxyError(client.goneAs))
    }
    const onLate = () => {
      if (!isBounded) return settle(undefined)
      const code = stallMs < timeouts.idleMs ? 'attempt_timeout' : 'idle_timeout'
      settle(outOfTime(code, exchange, clock.stalledMs() > stalledBefore ? 'sidecar' : undefined))
    }
    const watchdog = new Watchdog(clock, () => (isBounded ? progressAt + stallMs : headAt + SOON_MS), onLate)
    client.listen(onGone)
    watchdog.watch()
    reply.watch((chunk) => {
      bytes += chunk.length
      progressAt = clock.now()
      stalledBefore = clock.stalledMs()
      const isOfItsOwnPace = readsWhole ? bytes > HELD_BACK_BYTES : progressAt > headAt + SOON_MS
      if (isOfItsOwnPace) settle(undefined)
    })
    reply.onClosed((code) => {
      settle(code === 'complete' || code === 'cancelled' ? undefined : new ProxyError(code))
    })
    if (client.gone) onGone()
  })
}
