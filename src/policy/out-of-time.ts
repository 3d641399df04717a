import { writtenMs } from '../config/kinds/units.ts'
import { type FaultCode, type LimitNamed, ProxyError, type Whose } from '../errors.ts'
import type { Exchange } from './exchange.ts'

type Limited = Pick<Exchange, 'timeouts' | 'clientTimeoutMs'>

/**
 * The error of an exchange or an attempt that ran out of time. Names the limit.
 * @param whose given where it differs from the fault's own.
 */
export const outOfTime = (code: FaultCode, exchange: Limited, whose?: Whose): ProxyError => {
  const limit = limitOf(code, exchange)
  const detail = limit && `${TITLES[limit.key] ?? 'no answer'} within ${limit.key}: ${limit.value}`
  return new ProxyError(code, detail, whose === undefined ? { limit } : { limit, whose })
}

/** The limit that ends a tunnel. It is no fault: both sides were silent. */
export const tunnelLimit = (tunnelMs: number): LimitNamed => ({ key: 'timeout.tunnel', value: writtenMs(tunnelMs) })

const TITLES: Readonly<Record<string, string>> = {
  'timeout.connect': 'no connection',
  'timeout.idle': 'no progress of a body',
}

/** undefined for a fault that is no limit of time. */
function limitOf(code: FaultCode, { timeouts, clientTimeoutMs }: Limited): LimitNamed | undefined {
  const timeout = (key: string, ms: number) => ({ key, value: writtenMs(Math.round(ms)) })
  switch (code) {
    case 'connect_timeout':
      return timeout('timeout.connect', timeouts.connectMs)
    case 'attempt_timeout':
      return timeout('timeout.attempt', timeouts.attemptMs)
    case 'idle_timeout':
    case 'client_stalled':
      return timeout('timeout.idle', timeouts.idleMs)
    case 'total_timeout':
      return timeout('timeout.total', timeouts.totalMs)
    case 'client_deadline':
      return clientTimeoutMs === undefined ? undefined : timeout('x-request-timeout', clientTimeoutMs)
    default:
      return undefined
  }
}
