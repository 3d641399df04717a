/** Every fault that the data path can meet: what the client is told, and what the policies may do about it. */

/** The retry condition (`retry.on`) that a fault falls under; `never` for what repeating cannot mend. */
export type RetryCondition = 'connect-failure' | 'reset' | 'timeout' | 'never'

/** `failure` counts against the upstream's breaker; `neutral` counts nothing and gives a probe slot back. */
type Blame = 'failure' | 'neutral'

/**
 * @param status of the sidecar's own answer
 * @param proxyError error type of `Proxy-Status` (RFC 9209 section 2.3)
 */
const fault = (status: number, proxyError: string, retry: RetryCondition, blame: Blame, title: string) =>
  ({ status, proxyError, retry, blame, title }) as const

const FAULTS = {
  dns_error: fault(502, 'dns_error', 'connect-failure', 'failure', 'Upstream name not resolved'),
  connect_refused: fault(502, 'connection_refused', 'connect-failure', 'failure', 'Upstream refused the connection'),
  unreachable: fault(502, 'destination_ip_unroutable', 'connect-failure', 'failure', 'Upstream unreachable'),
  connect_timeout: fault(504, 'connection_timeout', 'connect-failure', 'failure', 'Connecting took too long'),
  tls_protocol: fault(
    502,
    'tls_protocol_error',
    'connect-failure',
    'failure',
    'TLS handshake with the upstream failed',
  ),
  tls_certificate: fault(502, 'tls_certificate_error', 'never', 'failure', "Upstream's certificate not accepted"),
  reset: fault(502, 'connection_terminated', 'reset', 'failure', 'Upstream closed the connection before it answered'),
  protocol: fault(502, 'http_protocol_error', 'never', 'failure', 'Upstream answered with something that is not HTTP'),
  attempt_timeout: fault(504, 'http_response_timeout', 'timeout', 'failure', 'Upstream did not answer in time'),
  idle_timeout: fault(504, 'http_response_timeout', 'timeout', 'failure', 'Upstream stopped taking the request'),
  total_timeout: fault(504, 'http_response_timeout', 'never', 'failure', 'No answer within the time for the request'),
  /** The deadline was one that the client itself had shortened: no fault of the upstream's. */
  client_deadline: fault(504, 'http_response_timeout', 'never', 'neutral', "No answer within the client's own limit"),
  /** The time of the job that the request belongs to is up. */
  job_deadline: fault(504, 'http_response_timeout', 'never', 'neutral', "The job's deadline has passed"),
  /** The body broke off after its head was relayed: the client's connection is cut and no status is sent. */
  body_truncated: fault(502, 'http_response_incomplete', 'never', 'failure', 'Upstream broke off its response'),
  breaker_open: fault(503, 'destination_unavailable', 'never', 'neutral', 'Circuit breaker open'),
  breaker_forced: fault(503, 'destination_unavailable', 'never', 'neutral', 'Circuit breaker held open by an operator'),
  queue_full: fault(503, 'connection_limit_reached', 'never', 'neutral', 'Concurrency limit reached and queue full'),
  queue_timeout: fault(503, 'connection_limit_reached', 'never', 'neutral', 'Waited too long in the queue'),
  rate: fault(503, 'connection_limit_reached', 'never', 'neutral', 'Rate limit of the upstream reached'),
  client_gone: fault(499, 'http_request_error', 'never', 'neutral', 'Client went away'),
  /** Another attempt for the same exchange answered first. */
  hedge_lost: fault(499, 'http_request_error', 'never', 'neutral', 'Another attempt was faster'),
  client_stalled: fault(408, 'http_request_error', 'never', 'neutral', 'Client stopped sending or reading'),
  bad_target: fault(400, 'http_request_error', 'never', 'neutral', 'Request target not acceptable'),
  unknown_upstream: fault(404, 'destination_not_found', 'never', 'neutral', 'No such upstream'),
  method_refused: fault(405, 'http_request_denied', 'never', 'neutral', 'Method not proxied'),
  coding_refused: fault(501, 'http_request_error', 'never', 'neutral', 'Transfer coding not supported'),
  internal: fault(500, 'proxy_internal_error', 'never', 'neutral', 'Fault inside the sidecar'),
}

/** The short `reason` that metrics, the access log and the problem's `type` share: a closed set. */
export type FaultCode = keyof typeof FAULTS

export const faultOf = (code: FaultCode) => FAULTS[code]

export const isFaultCode = (word: string): word is FaultCode => Object.hasOwn(FAULTS, word)

/**
 * A request or an attempt that came to no response of the upstream's. It is an answer, not a defect, and carries no stack
 * of its own: capturing one would be a third of a rejection's CPU time. Its cause may have one.
 */
export class ProxyError extends Error {
  readonly code: FaultCode
  /** For a 503: whole seconds after which asking again makes sense. */
  readonly retryAfterS: number | undefined

  constructor(code: FaultCode, detail?: string, options?: ErrorOptions & { retryAfterS?: number }) {
    const { stackTraceLimit } = Error
    Error.stackTraceLimit = 0
    super(detail ?? FAULTS[code].title, options)
    Error.stackTraceLimit = stackTraceLimit
    this.code = code
    this.retryAfterS = options?.retryAfterS
  }

  get fault() {
    return faultOf(this.code)
  }
}
