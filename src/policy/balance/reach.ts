import type { FaultCode } from '../../errors.ts'

/** Whether an endpoint takes connections, as far as the calls of all routes have shown. */
export type Reach = {
  /** Calls in a row that got no connection; calls under way at the same time count once. */
  failures: number
  /** Monotonic ms until which the endpoint is chosen only when no other admits the call. */
  avoidUntil: number
}

const FIRST_MS = 1_000
const LONGEST_MS = 30_000

const NO_CONNECTION: ReadonlySet<FaultCode> = new Set<FaultCode>([
  'connect_refused',
  'connect_timeout',
  'unreachable',
  'dns_error',
])

export const freshReach = (): Reach => ({ failures: 0, avoidUntil: Number.NEGATIVE_INFINITY })

/** Whether the fault says that the endpoint takes no connection. A failed TLS handshake does not: something was there. */
export const isUnconnected = (code: FaultCode): boolean => NO_CONNECTION.has(code)

/**
 * Remembers a call that got no connection: for 1 s, doubled with each such call in a row up to 30 s.
 * @param failuresBefore `failures` when the call started. Eight calls that are refused together show no more than one.
 */
export function seeUnconnected(reach: Reach, failuresBefore: number, now: number): void {
  reach.failures = Math.max(reach.failures, Math.min(reach.failures, failuresBefore) + 1)
  const ms = Math.min(LONGEST_MS, FIRST_MS * 2 ** (reach.failures - 1))
  reach.avoidUntil = Math.max(reach.avoidUntil, now + ms)
}

/** Forgets the failures: any response, whatever its status, needs a connection. */
export function seeConnected(reach: Reach): void {
  reach.failures = 0
  reach.avoidUntil = Number.NEGATIVE_INFINITY
}
