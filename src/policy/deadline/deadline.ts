import { type FaultCode, ProxyError } from '../../errors.ts'
import type { Layer } from '../exchange.ts'

/**
 * Fixes by when a response head must be on its way to the client: `total` after the request arrived, or sooner when the
 * client says so or the time of its job is up. Sets no timer: whoever waits for something later on waits no longer.
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
