import { Watchdog } from '../../clock.ts'
import { ProxyError } from '../../errors.ts'
import type { Exchange, Layer, Reply } from '../exchange.ts'
import type { Deps } from '../../deps.ts'

export type LimitSettings = {
  /** Largest number of exchanges that wait for a slot. */
  readonly queue: number
  /** Longest wait in ms; the exchange's deadline may be shorter. */
  readonly queueTimeoutMs: number
}

/** The limit of concurrent exchanges, their number, and the waiters in order of arrival. */
export type Slots = { limit: number; inUse: number; readonly waiting: (() => void)[] }

export const freshSlots = (limit: number): Slots => ({ limit, inUse: 0, waiting: [] })

/** Gives free slots to waiters. Called when a slot is freed and when the limit grows. */
export function letIn(slots: Slots): void {
  while (slots.inUse < slots.limit) {
    const handOver = slots.waiting.shift()
    if (handOver === undefined) return
    slots.inUse += 1
    handOver()
  }
}

/**
 * Limits concurrent exchanges. A bounded number waits for a bounded time; the rest is shed with a 503. A slot is held until the
 * body ends, not just the head. Serves as the upstream's concurrency limit (around the retry) and as its number of connections
 * (around each attempt).
 * @param refusal rejection of an open breaker. Asked first, so that nobody queues for an upstream that is not called, and a
 * rejection costs little.
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

/** Resolves when the exchange gets its slot. Rejects when its time is up or its client left. */
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
    // The deadline of a shared call moves with its waiters.
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
