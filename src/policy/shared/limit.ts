import { ProxyError } from '../../errors.ts'
import type { Exchange } from '../exchange.ts'
import type { Gate } from '../gate.ts'
import { writtenMs } from '../../config/kinds/units.ts'
import type { Deps } from '../../deps.ts'
import { usefulUntil } from '../paths/useful.ts'
import { type Place, waitInLine } from './line.ts'
import { type Bounded, freed, need, type SharedPermits } from './permits.ts'

export type LimitSettings = {
  /** Keys of the settings, for the refusals. `max`: of the number that `slots.limit` is. */
  readonly keys: {
    readonly max: string
    readonly queue: string
    readonly queueTimeout: string
    /** Of the number for a whole fleet. */
    readonly fleet?: string
  }
  /** Largest number of exchanges that wait for a slot. */
  readonly queue: number
  /** Longest wait in ms; the exchange's deadline may be shorter. */
  readonly queueTimeoutMs: number
}

/** The limit of concurrent exchanges, their number, and the waiters in the order of their requests' arrival. */
export type Slots = {
  limit: number
  inUse: number
  readonly waiting: Place[]
  /** Whether free slots go to the newest waiter: see `isOverloaded`. */
  isNewestFirst: boolean
  /** Monotonic ms at which a waiter last went without a slot, or found no place in the queue. */
  lostAt: number
  /** undefined where no fleet shares the slots. */
  readonly permits: SharedPermits | undefined
}

/** @param permits where a fleet shares the slots: then there are none until it grants some. */
export const freshSlots = (limit: number, permits?: SharedPermits): Slots => ({
  limit: permits === undefined ? limit : 0,
  inUse: 0,
  waiting: [],
  isNewestFirst: false,
  lostAt: Number.NEGATIVE_INFINITY,
  permits,
})

/**
 * Gives free slots to waiters. One whose turn comes too late to be of use is refused. Called when a slot is freed and when the
 * limit grows.
 */
export function letIn(slots: Slots, now: number): void {
  while (slots.inUse < slots.limit) {
    const next = slots.isNewestFirst ? slots.waiting.pop() : slots.waiting.shift()
    if (next === undefined) return
    if (now > usefulUntil(next.exchange, now)) next.expire()
    else {
      slots.inUse += 1
      if (slots.permits !== undefined) slots.permits.peak = Math.max(slots.permits.peak, slots.inUse)
      next.go()
    }
  }
}

/**
 * Limits concurrent exchanges. A bounded number waits for a bounded time, in the order of their requests' arrival, so that a
 * retry goes before those who came after its request; under lasting overload the newest go first. The rest is shed with a 503,
 * and so is what would come too late to be of use. A slot is held until the body ends, not just the head. Serves as the
 * upstream's concurrency limit, as its number of connections and as a limit that several upstreams share.
 * @param refusal rejection of an open breaker. Asked first, so that nobody queues for an upstream that is not called, and a
 * rejection costs little.
 */
export function limit(settings: LimitSettings, slots: Slots, refusal: () => ProxyError | undefined, deps: Deps): Gate {
  const { permits } = slots
  const shared = bounded(settings, slots, deps)
  const release = () => {
    slots.inUse -= 1
    if (permits === undefined && slots.waiting.length === 0) {
      slots.isNewestFirst = false
      return
    }
    const now = deps.clock.now()
    slots.isNewestFirst = isOverloaded(settings, slots, now)
    if (permits !== undefined) freed(permits, shared, deps)
    letIn(slots, now)
  }
  const take = () => {
    slots.inUse += 1
    if (permits !== undefined) permits.peak = Math.max(permits.peak, slots.inUse)
  }
  return {
    enter: (exchange) => {
      const refused = refusal()
      if (refused !== undefined) throw refused
      if (slots.inUse < slots.limit) {
        take()
        return undefined
      }
      const now = deps.clock.now()
      slots.isNewestFirst = isOverloaded(settings, slots, now)
      if (slots.waiting.length >= settings.queue + roomFor(slots)) {
        slots.lostAt = now
        if (!slots.isNewestFirst) throw full(settings, slots)
        slots.waiting.shift()?.refuse(full(settings, slots))
      }
      const waited = turn(settings, slots, exchange, deps)
      if (permits !== undefined) need(permits, shared, deps)
      return waited
    },
    replied: (_, reply) => reply.onClosed(release),
    failed: () => {
      release()
      return false
    },
  }
}

/** Places beyond the queue for those whose question to the fleet is under way: they wait for its answer, not for a slot. */
function roomFor({ permits, inUse, waiting }: Slots): number {
  if (permits === undefined || permits.isAlone || permits.isShort) return 0
  return permits.isAsking ? permits.asked + 1 : Math.max(0, permits.max - inUse - waiting.length)
}

/** The slots, as their permits see them. */
export const bounded = (settings: LimitSettings, slots: Slots, { clock }: Pick<Deps, 'clock'>): Bounded => ({
  get inUse() {
    return slots.inUse
  },
  waiting: slots.waiting,
  admit: (limit) => {
    slots.limit = limit
    letIn(slots, clock.now())
  },
  trim: () => {
    while (slots.waiting.length > settings.queue) slots.waiting.pop()?.refuse(full(settings, slots))
  },
})

/** Slots of this sidecar as its settings have them. */
export const slotsInAll = ({ limit, permits }: Slots): number =>
  permits === undefined ? limit : Math.min(permits.max, permits.limit)

/** Share of `queueTimeout` after which a queue is no burst any more. */
const BURST_SHARE = 0.05

/**
 * Whether more comes than the upstream can do: the queue is no burst, and waiters went without a slot of late. The oldest are
 * then those whose clients are about to leave, and whoever serves them serves nobody. The newest go first, as in the adaptive LIFO of Facebook's servers
 * (Maurer, "Fail at Scale", 2015), and a full queue drops its oldest. Some calls are answered in time, instead of none.
 */
function isOverloaded({ queueTimeoutMs }: LimitSettings, slots: Slots, now: number): boolean {
  const [oldest] = slots.waiting
  const isBurst = oldest === undefined || now - oldest.since <= queueTimeoutMs * BURST_SHARE
  return !isBurst && now - slots.lostAt < queueTimeoutMs
}

const full = ({ keys, queue }: LimitSettings, slots: Slots) =>
  new ProxyError('queue_full', `${bindingOf(keys, slots).says} are in use and ${queue} wait`, {
    limit: { key: keys.queue, value: queue },
  })

/** The limit that has no free slot: the sidecar's own, or that of the whole fleet. */
function bindingOf({ max, fleet }: LimitSettings['keys'], { limit, permits }: Slots) {
  if (permits === undefined || fleet === undefined || limit >= permits.max)
    return { key: max, value: limit, says: `${max}: ${limit}` }
  const here = permits.isAlone
    ? `${limit} of ${permits.limit} for this sidecar alone`
    : `${permits.limit} over all sidecars`
  return { key: fleet, value: permits.limit, says: `${fleet}: ${here}` }
}

/** Resolves when the exchange gets its slot. Rejects when its time is up or its client left. */
function turn(settings: LimitSettings, slots: Slots, exchange: Exchange, { clock }: Deps): Promise<void> {
  const since = clock.now()
  const gone = () => {
    slots.lostAt = clock.now()
  }
  const late = () => {
    gone()
    return tooLate(settings, slots, exchange, clock.now() - since)
  }
  const untilAt = () => Math.min(since + settings.queueTimeoutMs, usefulUntil(exchange, clock.now()))
  return waitInLine(slots.waiting, exchange, { as: 'queueMs', untilAt, late, gone }, clock)
}

function tooLate({ keys, queueTimeoutMs }: LimitSettings, slots: Slots, exchange: Exchange, waitedMs: number) {
  const { key, value, says } = bindingOf(keys, slots)
  const isTimeout = waitedMs >= queueTimeoutMs
  const why = isTimeout
    ? `${keys.queueTimeout}: ${writtenMs(queueTimeoutMs)}`
    : `the time that is left of ${writtenMs(exchange.deadlineAt - exchange.startedAt)}`
  return new ProxyError('queue_timeout', `${says} are in use, and no one became free within ${why}`, {
    limit: isTimeout ? { key: keys.queueTimeout, value: writtenMs(queueTimeoutMs) } : { key, value },
  })
}
