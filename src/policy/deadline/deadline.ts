import type { Layer } from '../exchange.ts'
import { outOfTime } from '../out-of-time.ts'

/**
 * Sets the deadline of an exchange: `total` after its arrival, or earlier when the client or its job says so. The time for which
 * its body is uploaded extends `total` (extendTotal). Sets no timer: later waits look at the deadline.
 */
export const deadline: Layer = (next) => (exchange) => {
  const { startedAt, timeouts, clientTimeoutMs, jobDeadlineAt } = exchange
  const clientAt = startedAt + (clientTimeoutMs ?? Number.POSITIVE_INFINITY)
  const jobAt = jobDeadlineAt ?? Number.POSITIVE_INFINITY
  exchange.limitAt = Math.min(clientAt, jobAt)
  exchange.limitFault = jobAt < clientAt ? 'job_deadline' : 'client_deadline'
  exchange.deadlineAt = startedAt + timeouts.totalMs
  exchange.deadlineFault = 'total_timeout'
  if (exchange.limitAt < exchange.deadlineAt) {
    exchange.deadlineAt = exchange.limitAt
    exchange.deadlineFault = exchange.limitFault
  }
  return exchange.deadlineAt > startedAt ? next(exchange) : Promise.reject(outOfTime(exchange.deadlineFault, exchange))
}
