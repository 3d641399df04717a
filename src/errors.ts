/** Every fault of the data path: the client's answer, and what policies may do about it. */

/** Retry condition (`retry.on`) of a fault; `never` when a retry cannot help. */
export type RetryCondition = 'connect-failure' | 'reset' | 'timeout' | 'never'

/**
 * Whose fault it is. An `upstream` fault counts against the upstream's breaker, its endpoint's latency and its adaptive limit.
 * A `sidecar` fault is a limit, a policy or a defect of the sidecar. A `client` fault is a client that left, stalled or sent a
 * bad request, or the end of its or its job's time. A `peer attempt` fault is an attempt that lost to another one. The last
 * three count nothing against the upstream and return a probe slot.
 */
export type Whose = 'upstream' | 'sidecar' | 'client' | 'peer attempt'

/**
 * @param status of the sidecar's own answer
 * @param proxyError error type of `Proxy-Status` (RFC 9209 section 2.3)
 */
const fault = (status: number, proxyError: string, retry: RetryCondition, whose: Whose, title: string) =>
  ({ status, proxyError, retry, whose, title }) as const

const FAULTS = {
  dns_error: fault(502, 'dns_error', 'connect-failure', 'upstream', 'Upstream name not resolved'),
  connect_refused: fault(502, 'connection_refused', 'connect-failure', 'upstream', 'Upstream refused the connection'),
  unreachable: fault(502, 'destination_ip_unroutable', 'connect-failure', 'upstream', 'Upstream unreachable'),
  connect_timeout: fault(504, 'connection_timeout', 'connect-failure', 'upstream', 'Connecting took too long'),
  tls_protocol: fault(
    502,
    'tls_protocol_error',
    'connect-failure',
    'upstream',
    'TLS handshake with the upstream failed',
  ),
  tls_certificate: fault(502, 'tls_certificate_error', 'never', 'upstream', "Upstream's certificate not accepted"),
  reset: fault(502, 'connection_terminated', 'reset', 'upstream', 'Upstream closed the connection before it answered'),
  protocol: fault(502, 'http_protocol_error', 'never', 'upstream', 'Upstream answered with something that is not HTTP'),
  /** Reset while the request body was being sent. An upstream does that to a body that it does not want. */
  upload_refused: fault(502, 'connection_terminated', 'reset', 'client', 'Upstream broke off the upload'),
  attempt_timeout: fault(504, 'http_response_timeout', 'timeout', 'upstream', 'Upstream did not answer in time'),
  idle_timeout: fault(504, 'http_response_timeout', 'timeout', 'upstream', 'Upstream made no progress'),
  total_timeout: fault(504, 'http_response_timeout', 'never', 'upstream', 'No answer within the time for the request'),
  /** The client's own, shorter deadline. */
  client_deadline: fault(504, 'http_response_timeout', 'never', 'client', "No answer within the client's own limit"),
  /** The deadline of the request's job. */
  job_deadline: fault(504, 'http_response_timeout', 'never', 'client', "The job's deadline has passed"),
  /** The body broke off. Once its head was relayed, the client's connection is cut and no status is sent. */
  body_truncated: fault(502, 'http_response_incomplete', 'reset', 'upstream', 'Upstream broke off its response'),
  breaker_open: fault(503, 'destination_unavailable', 'never', 'sidecar', 'Circuit breaker open'),
  breaker_forced: fault(503, 'destination_unavailable', 'never', 'sidecar', 'Circuit breaker held open by an operator'),
  queue_full: fault(503, 'connection_limit_reached', 'never', 'sidecar', 'Concurrency limit reached and queue full'),
  queue_timeout: fault(503, 'connection_limit_reached', 'never', 'sidecar', 'Waited too long in the queue'),
  rate: fault(503, 'connection_limit_reached', 'never', 'sidecar', 'Rate limit of the upstream reached'),
  /** The process or its machine has no descriptor, port or connection left. */
  local_limit: fault(
    503,
    'connection_limit_reached',
    'connect-failure',
    'sidecar',
    'A limit of the sidecar itself is reached',
  ),
  client_gone: fault(499, 'http_request_error', 'never', 'client', 'Client went away'),
  /** Another attempt for the same exchange answered first. */
  hedge_lost: fault(499, 'http_request_error', 'never', 'peer attempt', 'Another attempt was faster'),
  /** The sidecar ended with the request under way. The client's connection is cut; no status is sent. */
  shutdown: fault(503, 'connection_terminated', 'never', 'sidecar', 'Sidecar shut down before the response was over'),
  bad_request: fault(400, 'http_request_error', 'never', 'client', 'Request is not valid HTTP/1.1'),
  response_head_too_large: fault(
    502,
    'http_response_header_section_size',
    'never',
    'sidecar',
    "Upstream's response head too large",
  ),
  target_too_long: fault(414, 'http_request_error', 'never', 'client', 'Request target too long'),
  version_refused: fault(505, 'http_request_error', 'never', 'client', 'HTTP version not supported'),
  head_too_large: fault(431, 'http_request_error', 'never', 'client', 'Request head too large'),
  expectation_failed: fault(417, 'http_request_error', 'never', 'client', 'Expectation not supported'),
  client_stalled: fault(408, 'http_request_error', 'never', 'client', 'Client stopped sending or reading'),
  bad_target: fault(400, 'http_request_error', 'never', 'client', 'Request target not acceptable'),
  unknown_upstream: fault(404, 'destination_not_found', 'never', 'client', 'No such upstream'),
  method_refused: fault(405, 'http_request_denied', 'never', 'client', 'Method not proxied'),
  coding_refused: fault(501, 'http_request_error', 'never', 'client', 'Transfer coding not supported'),
  internal: fault(500, 'proxy_internal_error', 'never', 'sidecar', 'Fault inside the sidecar'),
}

/** The closed set of short reasons that metrics, the access log and the problem's `type` share. */
export type FaultCode = keyof typeof FAULTS

export const FAULT_CODES = Object.keys(FAULTS) as FaultCode[]

export const faultOf = (code: FaultCode) => FAULTS[code]

/** Whether a breaker refused the attempt. Another endpoint, whose breaker admits it, may take it. */
export const isBreakerRefusal = (code: FaultCode) => code === 'breaker_open' || code === 'breaker_forced'

/** Whether a limit of the sidecar refused the request: more of them at once, or sooner, than it lets through. */
export const isLimitRefusal = (code: FaultCode) => FAULTS[code].proxyError === 'connection_limit_reached'

/** Whether the sidecar refuses an acceptable request so, in place of sending it: by a breaker, a limit, or a job that is out of time. */
export const isRefusal = (code: FaultCode) => isBreakerRefusal(code) || isLimitRefusal(code) || code === 'job_deadline'

/** What the sidecar answers to a request that it does not accept: a malformed one, or one that it never sends on. */
const UNACCEPTABLE: ReadonlySet<string> = new Set([
  'http_request_error',
  'http_request_denied',
  'destination_not_found',
])

export const isUnacceptable = (code: FaultCode) => {
  const { whose, proxyError } = FAULTS[code]
  return whose === 'client' && code !== 'client_gone' && UNACCEPTABLE.has(proxyError)
}

/** Whether the whole request ran out of time: by the route's total, the client's limit or the job's deadline. */
export const isDeadline = (code: FaultCode) =>
  code === 'total_timeout' || code === 'client_deadline' || code === 'job_deadline'

export const isFaultCode = (word: string): word is FaultCode => Object.hasOwn(FAULTS, word)

export type LimitNamed = { readonly key: string; readonly value: number | string }

type ProxyErrorOptions = ErrorOptions & {
  readonly retryAfterS?: number
  readonly limit?: LimitNamed | undefined
  readonly whose?: Whose
}

/**
 * A request or an attempt without a response of the upstream. It is an answer, not a defect, and captures no stack: that would
 * be a third of a rejection's CPU time. Its cause may have a stack.
 */
export class ProxyError extends Error {
  readonly code: FaultCode
  /** Value of Retry-After in whole seconds, for a 503. */
  readonly retryAfterS: number | undefined
  /** The limit or rule that refused or ended it: the setting's key, and its value. */
  readonly limit: LimitNamed | undefined
  /** Overrides the table: a limit that passed while the sidecar was paused is the sidecar's own fault. */
  readonly whose: Whose

  constructor(code: FaultCode, detail?: string, options?: ProxyErrorOptions) {
    const { stackTraceLimit } = Error
    Error.stackTraceLimit = 0
    super(detail ?? FAULTS[code].title, options)
    Error.stackTraceLimit = stackTraceLimit
    this.code = code
    this.retryAfterS = options?.retryAfterS
    this.limit = options?.limit
    this.whose = options?.whose ?? FAULTS[code].whose
  }

  get fault() {
    return faultOf(this.code)
  }
}
