import type { Timer } from '../../clock.ts'
import { ProxyError } from '../../errors.ts'
import type { Exchange, Layer } from '../exchange.ts'
import type { Deps } from '../../deps.ts'

export type RateLimit = {
  /** The most that an upstream gets within any `perMs`. */
  readonly requests: number
  readonly perMs: number
}

/**
 * When the last `requests` were let through, as a ring, and who waits, first come first served. An exact window rather than
 * a bucket of tokens: a bucket that is full lets twice as many through in the window after a pause, which is what an
 * upstream that counts by the window answers with 429.
 */
export type Pace = {
  rate: RateLimit
  sentAt: Float64Array
  /** The oldest of them: the next one to be written. */
  next: number
  readonly waiting: Waiter[]
  /** Set for the first of those who wait. */
  timer: Timer | undefined
}

/** Requests that wait for their turn at one upstream. */
const MAX_WAITING = 10_000

type Waiter = {
  readonly onTurn: () => void
  /** Monotonic ms: a turn that comes later is none. */
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
 * Another rate from here on: what was let through counts, as far as it is remembered, and who waits keeps his place.
 * Whose turn cannot come in time any more is refused.
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

/** Whether the layer paces what has not been sent yet, or its repetitions. */
export type Paced = 'requests' | 'repetitions'

/**
 * Lets through to the upstream no more than its rate allows; the rest waits its turn. What cannot have its turn before its
 * deadline or `queueTimeout` is refused at once, with the seconds after which there is room. Stands twice: around all
 * else for what comes in, and inside the retry for what is repeated, since the upstream counts both.
 * @param queueTimeoutMs the longest wait; the exchange's deadline may make it shorter.
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

/** Monotonic ms at which there is room for one that has `ahead` others before it. */
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

/** Lets through those whose turn it is, and waits for the next. */
function proceed(pace: Pace, clock: Deps['clock']): void {
  const now = clock.now()
  while (pace.waiting.length > 0 && freeAt(pace, 0) <= now) {
    take(pace, now)
    pace.waiting.shift()?.onTurn()
  }
  arm(pace, clock)
}
