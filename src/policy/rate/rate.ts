import type { Timer } from '../../clock.ts'
import { ProxyError } from '../../errors.ts'
import type { Exchange, Layer } from '../exchange.ts'
import type { Deps } from '../../deps.ts'

export type RateLimit = {
  /** Largest number of calls within any `perMs`. */
  readonly requests: number
  readonly perMs: number
}

/**
 * Times of the last `requests` calls as a ring, and the waiters in order of arrival. An exact window instead of a token bucket:
 * a full bucket admits twice the rate after a pause, and an upstream that counts by the window answers that with 429.
 */
export type Pace = {
  rate: RateLimit
  sentAt: Float64Array
  /** Index of the oldest time: the next one to be overwritten. */
  next: number
  readonly waiting: Waiter[]
  /** Timer for the first waiter. */
  timer: Timer | undefined
}

/** Largest number of requests that wait for one upstream. */
const MAX_WAITING = 10_000

type Waiter = {
  readonly onTurn: () => void
  /** Monotonic ms after which a turn is too late. */
  readonly untilAt: () => number
  readonly refuse: (waitMs: number) => void
}

export const freshPace = (rate: RateLimit): Pace => ({
  rate,
  sentAt: new Float64Array(rate.requests).fill(Number.NEGATIVE_INFINITY),
  next: 0,
  waiting: [],
  timer: undefined,
})

/**
 * Changes the rate. Earlier calls count as far as they are remembered, and waiters keep their order. A waiter whose turn would
 * now come too late is refused.
 */
export function repace(pace: Pace, rate: RateLimit, { clock }: Deps): void {
  const { sentAt, next } = pace
  const inOrder = [...sentAt.subarray(next), ...sentAt.subarray(0, next)]
  const kept = inOrder.slice(-rate.requests)
  pace.rate = rate
  pace.sentAt = new Float64Array(rate.requests).fill(Number.NEGATIVE_INFINITY)
  pace.sentAt.set(kept, rate.requests - kept.length)
  pace.next = 0
  const now = clock.now()
  for (const waiter of pace.waiting.splice(0)) {
    const waitMs = freeAt(pace, pace.waiting.length) - now
    if (now + waitMs < waiter.untilAt()) pace.waiting.push(waiter)
    else waiter.refuse(waitMs)
  }
  if (pace.timer !== undefined) clock.cancel(pace.timer)
  pace.timer = undefined
  proceed(pace, clock)
}

/** Whether the layer paces first attempts, or retries and hedges. */
export type Paced = 'requests' | 'repetitions'

/**
 * Limits the rate of calls to the upstream; the rest waits. A request whose turn would come after its deadline or
 * `queueTimeout` is refused at once, with the Retry-After. Stands twice in the pipeline: around everything for new requests,
 * and inside the retry for repetitions, since the upstream counts both.
 * @param queueTimeoutMs longest wait; the exchange's deadline may be shorter.
 */
export const pacing =
  (queueTimeoutMs: number, pace: Pace, paced: Paced, refusal: () => ProxyError | undefined, deps: Deps): Layer =>
  (next) =>
  async (exchange) => {
    const isRepetition = exchange.attemptsBefore + exchange.attempts > 0
    if (isRepetition === (paced === 'repetitions')) {
      const refused = refusal()
      if (refused !== undefined) throw refused
      await turn(queueTimeoutMs, pace, exchange, deps)
    }
    return next(exchange)
  }

function turn(queueTimeoutMs: number, pace: Pace, exchange: Exchange, { clock }: Deps): Promise<void> | undefined {
  const now = clock.now()
  const waitMs = freeAt(pace, pace.waiting.length) - now
  if (waitMs <= 0) return take(pace, now)
  const isTooLong = waitMs > queueTimeoutMs || now + waitMs >= exchange.deadlineAt
  if (isTooLong || pace.waiting.length >= MAX_WAITING) throw refusedFor(waitMs)
  return new Promise((resolve, reject) => {
    const leave = () => {
      exchange.client.unlisten(onGone)
      exchange.spent.queueMs += clock.now() - now
    }
    const waiter: Waiter = {
      onTurn: () => {
        leave()
        resolve()
      },
      untilAt: () => Math.min(now + queueTimeoutMs, exchange.deadlineAt),
      refuse: (longerMs) => {
        leave()
        reject(refusedFor(longerMs))
      },
    }
    const onGone = () => {
      pace.waiting.splice(pace.waiting.indexOf(waiter), 1)
      leave()
      reject(new ProxyError('client_gone'))
    }
    pace.waiting.push(waiter)
    exchange.client.listen(onGone)
    arm(pace, clock)
  })
}

function refusedFor(waitMs: number): ProxyError {
  const retryAfterS = Math.ceil(waitMs / 1000)
  return new ProxyError('rate', `the rate allows another request in ${retryAfterS} s`, { retryAfterS })
}

/** Monotonic ms at which a call with `ahead` waiters before it may go. */
function freeAt({ sentAt, next, rate: { requests, perMs } }: Pace, ahead: number): number {
  const oldest = sentAt[(next + (ahead % requests)) % requests] ?? Number.NEGATIVE_INFINITY
  return oldest + perMs * (1 + Math.floor(ahead / requests))
}

function take(pace: Pace, now: number): undefined {
  pace.sentAt[pace.next] = now
  pace.next = (pace.next + 1) % pace.sentAt.length
}

function arm(pace: Pace, clock: Deps['clock']): void {
  if (pace.timer !== undefined || pace.waiting.length === 0) return
  pace.timer = clock.after(freeAt(pace, 0) - clock.now(), () => {
    pace.timer = undefined
    proceed(pace, clock)
  })
}

/** Admits the waiters whose turn has come, and sets the timer for the next. */
function proceed(pace: Pace, clock: Deps['clock']): void {
  const now = clock.now()
  while (pace.waiting.length > 0 && freeAt(pace, 0) <= now) {
    take(pace, now)
    pace.waiting.shift()?.onTurn()
  }
  arm(pace, clock)
}
