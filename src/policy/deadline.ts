import { ProxyError } from '../errors.ts'
import type { Layer } from './exchange.ts'

/**
 * Fixes by when a response head must be on its way to the client: `totalMs` after the request arrived, or sooner when
 * the client says so. Sets no timer: whoever waits for something later on waits no longer than this.
 */
export const deadline =
  (totalMs: number): Layer =>
  (next) =>
  (exchange) => {
    const { clientTimeoutMs } = exchange
    exchange.deadlineIsClients = clientTimeoutMs !== undefined && clientTimeoutMs < totalMs
    exchange.deadlineAt = exchange.startedAt + Math.min(totalMs, clientTimeoutMs ?? totalMs)
    if (clientTimeoutMs === 0) return Promise.reject(new ProxyError('client_deadline'))
    return next(exchange)
  }
