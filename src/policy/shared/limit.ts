import { Watchdog } from '../../clock.ts'
import { ProxyError } from '../../errors.ts'
import type { Exchange, Layer, Reply } from '../exchange.ts'
import { writtenMs } from '../../config/kinds/units.ts'
import type { Deps } from '../../deps.ts'
import { usefulUntil } from '../paths/useful.ts'

export type LimitSettings = {
  /** Key of the setting whose number `slots.limit` is, for the refusal. */
  readonly key: 'concurrency.max' | 'connections.max'
  /** Largest number of exchanges that wait for a slot. */
  readonly queue: number
  /** Longest wait in ms; the exchange's deadline may be shorter. */
  readonly queueTimeoutMs: number
}

/** The limit of concurrent exchanges, their number, and the waiters in the order of their requests' arrival. */
export type Slots = { limit: number; inUse: number; readonly waiting: Waiter[] }

type Waiter = {
  /** Monotonic ms of the request's arrival. */
  readonly startedAt: number
  /** Takes the slot, unless the exchange would be too late to be of use. @returns whether it did. */
  readonly take: () => boolean
}

export const freshSlots = (limit: number): Slots => ({ limit, inUse: 0, waiting: [] })

/** Gives free slots to waiters. Called when a slot is freed and when the limit grows. */
export function letIn(slots: Slots): void {
  while (slots.inUse < slots.limit) {
    const first = slots.waiting.shift()
    if (first === undefined) return
    slots.inUse += 1
    if (!first.take()) slots.inUse -= 1
  }
}

/**
 * Limits concurrent exchanges. A bounded number waits for a bounded time, in the order of their requests' arrival, so that a
 * retry goes before those who came after its request. The rest is shed with a 503, and so is what would come too late to be of
 * use. A slot is held until the body ends, not just the head. Serves as the upstream's concurrency limit and as its number of
 * connections.
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
      if (slots.waiting.length >= settings.queue) return Promise.reject(full(settings, slots))
      return turn(settings, slots, exchange, deps).then(() => inside(exchange))
    }
  }

const full = ({ key, queue }: LimitSettings, slots: Slots) =>
  new ProxyError('queue_full', `${key}: ${slots.limit} are in use and ${queue} wait`, {
    limit: { key: key === 'concurrency.max' ? 'concurrency.queue' : key, value: queue },
  })

/** Resolves when the exchange gets its slot. Rejects when its time is up or its client left. */
function turn(settings: LimitSettings, slots: Slots, exchange: Exchange, { clock }: Deps): Promise<void> {
  return new Promise((resolve, reject) => {
    const since = clock.now()
    const leave = () => {
      watchdog.stop()
      exchange.client.unlisten(onGone)
      exchange.spent.queueMs += clock.now() - since
    }
    const refuse = () => {
      leave()
      reject(tooLate(settings, slots, exchange, clock.now() - since))
    }
    const waiter: Waiter = {
      startedAt: exchange.startedAt,
      take: () => {
        const now = clock.now()
        const isOfUse = now <= usefulUntil(exchange, now)
        if (isOfUse) {
          leave()
          resolve()
        } else refuse()
        return isOfUse
      },
    }
    const withdraw = () => slots.waiting.splice(slots.waiting.indexOf(waiter), 1)
    const onGone = () => {
      withdraw()
      leave()
      reject(new ProxyError('client_gone'))
    }
    // The deadline of a shared call moves with its waiters.
    const watchdog = new Watchdog(
      clock,
      () => Math.min(since + settings.queueTimeoutMs, usefulUntil(exchange, clock.now())),
      () => {
        withdraw()
        refuse()
      },
    )
    watchdog.watch()
    const at = slots.waiting.findLastIndex(({ startedAt }) => startedAt <= exchange.startedAt)
    slots.waiting.splice(at + 1, 0, waiter)
    exchange.client.listen(onGone)
  })
}

function tooLate({ key, queueTimeoutMs }: LimitSettings, { limit: max }: Slots, exchange: Exchange, waitedMs: number) {
  const isTimeout = waitedMs >= queueTimeoutMs
  const why = isTimeout
    ? `concurrency.queueTimeout: ${writtenMs(queueTimeoutMs)}`
    : `the time that is left of ${writtenMs(exchange.deadlineAt - exchange.startedAt)}`
  return new ProxyError('queue_timeout', `${key}: ${max} are in use, and no one became free within ${why}`, {
    limit: isTimeout ? { key: 'concurrency.queueTimeout', value: writtenMs(queueTimeoutMs) } : { key, value: max },
  })
}
