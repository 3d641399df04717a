import { ProxyError } from '../../errors.ts'
import type { Layer } from '../exchange.ts'
import type { Gate } from '../gate.ts'
import type { Deps } from '../../deps.ts'
import { quantile, record } from './latencies.ts'
import type { ObservedLength } from './settings.ts'

/**
 * Records for the group of a call's path how long its attempts wait for their response heads. An attempt that was given up as late counts with the
 * time that it waited; otherwise the observed latency could only fall. Other failures are not recorded.
 */
export const observing = (poor: ReadonlySet<number>, { clock }: Deps): Gate => ({
  replied: ({ headMs, group }, reply) => {
    if (headMs !== undefined && !poor.has(reply.status)) record(group.latencies, headMs, clock.now())
  },
  failed: ({ headMs, group }, error) => {
    const isLate = error instanceof ProxyError && error.code === 'attempt_timeout' && error.whose === 'upstream'
    if (isLate && headMs !== undefined) record(group.latencies, headMs, clock.now())
    return false
  },
})

/**
 * Shortens an attempt's limit to a multiple of what the route's attempts take, never above its fixed or computed limit, which
 * applies until enough attempts are known. Source: adaptive timeouts of "The Tail at Scale" and of Phi-accrual detectors, in
 * the simple form of a percentile times a factor.
 */
export const observedTimeout =
  ({ observed, times, minMs }: ObservedLength, { clock }: Deps): Layer =>
  (next) =>
  (exchange) => {
    const seen = quantile(exchange.group.latencies, Number(observed.slice(1)) / 100, clock.now())
    if (seen !== undefined) {
      const attemptMs = Math.min(exchange.timeouts.attemptMs, Math.max(minMs, seen * times))
      exchange.timeouts = { ...exchange.timeouts, attemptMs }
    }
    return next(exchange)
  }
