import { ProxyError } from '../errors.ts'
import type { Deps, Exchange, Layer } from './exchange.ts'

export type RateLimit = {
  /** The most that an upstream gets within any `perMs`. */
  readonly requests: number
  readonly perMs: number
  /** The longest wait, in ms; the exchange's deadline may make it shorter. */
  readonly queueTimeoutMs: number
}

/**
 * When the last `requests` were let through, as a ring, and who waits, first come first served. An exact window rather than
 * a bucket of tokens: a bucket that is full lets twice as many through in the window after a pause, which is what an
 * upstream that counts by the window answers with 429.
 */
export type Pace = {
  readonly sentAt: Float64Array
  /** The oldest of them: the next one to be written. */
  next: number
  readonly waiting: (() => void)[]
  /** Whether a timer is set for the first of them. */
  isArmed: boolean
}

export const freshPace = ({ requests }: RateLimit): Pace => ({
  sentAt: new Float64Array(requests).fill(Number.NEGATIVE_INFINITY),
  next: 0,
  waiting: [],
  isArmed: false,
})

/** Whether the layer paces what has not been sent yet, or its repetitions. */
export type Paced = 'requests' | 'repetitions'

/**
 * Lets through to the upstream no more than its rate allows; the rest waits its turn. What cannot have its turn before its
 * deadline or `queueTimeout` is refused at once, with the seconds after which there is room. Stands twice: around all
 * else for what comes in, and inside the retry for what is repeated, since the upstream counts both.
 */
export const pacing =
  (settings: RateLimit, pace: Pace, paced: Paced, refusal: () => ProxyError | undefined, deps: Deps): Layer =>
  (next) =>
  async (exchange) => {
    if (exchange.attempts > 0 === (paced === 'repetitions')) {
      const refused = refusal()
      if (refused !== undefined) throw refused
      await turn(settings, pace, exchange, deps)
    }
    return next(exchange)
  }

function turn(settings: RateLimit, pace: Pace, exchange: Exchange, deps: Deps): Promise<void> | undefined {
  const { clock } = deps
  const now = clock.now()
  const waitMs = freeAt(pace, pace.waiting.length, settings) - now
  if (waitMs <= 0) return take(pace, now)
  if (waitMs > settings.queueTimeoutMs || now + waitMs >= exchange.deadlineAt) {
    const retryAfterS = Math.ceil(waitMs / 1000)
    throw new ProxyError('rate', `the rate allows another request in ${retryAfterS} s`, { retryAfterS })
  }
  return new Promise((resolve, reject) => {
    const leave = () => {
      exchange.client.unlisten(onGone)
      exchange.spent.queueMs += clock.now() - now
    }
    const onTurn = () => {
      leave()
      resolve()
    }
    const onGone = () => {
      pace.waiting.splice(pace.waiting.indexOf(onTurn), 1)
      leave()
      reject(new ProxyError('client_gone'))
    }
    pace.waiting.push(onTurn)
    exchange.client.listen(onGone)
    arm(settings, pace, deps)
  })
}

/** Monotonic ms at which there is room for one that has `ahead` others before it. */
function freeAt({ sentAt, next }: Pace, ahead: number, { requests, perMs }: RateLimit): number {
  const oldest = sentAt[(next + (ahead % requests)) % requests] ?? Number.NEGATIVE_INFINITY
  return oldest + perMs * (1 + Math.floor(ahead / requests))
}

function take(pace: Pace, now: number): undefined {
  pace.sentAt[pace.next] = now
  pace.next = (pace.next + 1) % pace.sentAt.length
}

function arm(settings: RateLimit, pace: Pace, deps: Deps): void {
  if (pace.isArmed || pace.waiting.length === 0) return
  pace.isArmed = true
  deps.clock.after(freeAt(pace, 0, settings) - deps.clock.now(), () => {
    pace.isArmed = false
    const now = deps.clock.now()
    while (pace.waiting.length > 0 && freeAt(pace, 0, settings) <= now) {
      take(pace, now)
      pace.waiting.shift()?.()
    }
    arm(settings, pace, deps)
  })
}
