import { type FaultCode, ProxyError } from '../../errors.ts'
import type { Layer } from '../exchange.ts'

/**
 * Sets the deadline of an exchange: `total` after its arrival, or earlier when the client or its job says so. Sets no timer:
 * later waits look at the deadline.
 */
export const deadline: Layer = (next) => (exchange) => {
  const { startedAt, timeouts, clientTimeoutMs, jobDeadlineAt } = exchange
  const limits: [number, FaultCode][] = [[startedAt + timeouts.totalMs, 'total_timeout']]
  if (clientTimeoutMs !== undefined) limits.push([startedAt + clientTimeoutMs, 'client_deadline'])
  if (jobDeadlineAt !== undefined) limits.push([jobDeadlineAt, 'job_deadline'])
  for (const [at, fault] of limits) {
    if (at >= exchange.deadlineAt) continue
    exchange.deadlineAt = at
    exchange.deadlineFault = fault
  }
  return exchange.deadlineAt > startedAt ? next(exchange) : Promise.reject(new ProxyError(exchange.deadlineFault))
}
