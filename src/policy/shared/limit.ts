import { Watchdog } from '../../clock.ts'
import { ProxyError } from '../../errors.ts'
import type { Exchange, Layer, Reply } from '../exchange.ts'
import type { Deps } from '../../deps.ts'

export type LimitSettings = {
  /** Exchanges that may wait for a place. */
  readonly queue: number
  /** The longest wait, in ms; the exchange's deadline may make it shorter. */
  readonly queueTimeoutMs: number
}

/** How many are let through at once, who is inside, and who waits, first come first served. */
export type Slots = { limit: number; inUse: number; readonly waiting: (() => void)[] }

export const freshSlots = (limit: number): Slots => ({ limit, inUse: 0, waiting: [] })

/** Hands free slots to those who wait: to be called when one is given back, and when the limit has grown. */
export function letIn(slots: Slots): void {
  while (slots.inUse < slots.limit) {
    const handOver = slots.waiting.shift()
    if (handOver === undefined) return
    slots.inUse += 1
    handOver()
  }
}

/**
 * Lets so many exchanges through at once; a bounded number waits for a bounded time, the rest is shed with a 503.
 * A slot is held until the body is over, not just the head. Serves the concurrency limit of an upstream (around the
 * retries) and its number of connections (around each attempt).
 * @param refusal what an open breaker would answer: asked first, so that nobody queues for an upstream that is not called
 *   at all, and so that a rejection costs next to nothing.
 */
export const limit =
  (settings: LimitSettings, slots: Slots, refusal: () => ProxyError | undefined, deps: Deps): Layer =>
  (next) => {
    const release = () => {
      slots.inUse -= 1
      letIn(slots)
    }
    const inside = async (exchange: Exchange) => {
      let reply: Reply
      try {
        reply = await next(exchange)
      } catch (error) {
        release()
        throw error
      }
      reply.onClosed(release)
      return reply
    }
    return (exchange) => {
      const refused = refusal()
      if (refused !== undefined) return Promise.reject(refused)
      if (slots.inUse < slots.limit) {
        slots.inUse += 1
        return inside(exchange)
      }
      if (slots.waiting.length >= settings.queue) return Promise.reject(new ProxyError('queue_full'))
      return turn(settings, slots, exchange, deps).then(() => inside(exchange))
    }
  }

/** Resolves when the exchange's turn has come; rejects when its time is up or its client has gone. */
function turn(settings: LimitSettings, slots: Slots, exchange: Exchange, { clock }: Deps): Promise<void> {
  return new Promise((resolve, reject) => {
    const since = clock.now()
    const leave = () => {
      watchdog.stop()
      exchange.client.unlisten(onGone)
      exchange.spent.queueMs += clock.now() - since
    }
    const onTurn = () => {
      leave()
      resolve()
    }
    const giveUp = (error: ProxyError) => {
      slots.waiting.splice(slots.waiting.indexOf(onTurn), 1)
      leave()
      reject(error)
    }
    const onGone = () => giveUp(new ProxyError('client_gone'))
    // The deadline of a call that several share moves with those who share it.
    const watchdog = new Watchdog(
      clock,
      () => Math.min(since + settings.queueTimeoutMs, exchange.deadlineAt),
      () => giveUp(new ProxyError('queue_timeout')),
    )
    watchdog.watch()
    slots.waiting.push(onTurn)
    exchange.client.listen(onGone)
  })
}
