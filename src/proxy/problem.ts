import type { ProxyError } from '../errors.ts'
import type { ServerRequest } from '../http1/server-request.ts'

export type ProblemContext = {
  /** undefined when no upstream was found. */
  readonly upstream: string | undefined
  readonly attempts: number
  /** Whether the connection ends with this answer. */
  readonly close: boolean
}

const BEYOND_ASCII = /[^\x20-\x7e]/

/** Retry-After of a 503 without a better estimate, in seconds. */
const DEFAULT_RETRY_AFTER_S = 1

/**
 * Sends the sidecar's own answer. Sources: RFC 9457 (`application/problem+json`), RFC 9209 (`Proxy-Status`), RFC 9110 section
 * 10.2.3 (`Retry-After`, on every 503).
 */
export function answerProblem(request: ServerRequest, error: ProxyError, context: ProblemContext): void {
  const { status, proxyError, title } = error.fault
  const retryAfterS = status === 503 ? (error.retryAfterS ?? DEFAULT_RETRY_AFTER_S) : undefined
  const body = JSON.stringify({
    type: `urn:breakwater:${error.code}`,
    title,
    status,
    detail: error.message,
    upstream: context.upstream,
    attempts: context.attempts,
    retry_after_s: retryAfterS,
    limit: error.limit,
  })
  // As a rule every character is one byte.
  const text = BEYOND_ASCII.test(body) ? Buffer.from(body).toString('latin1') : body
  const headers = [
    'content-type',
    'application/problem+json',
    'content-length',
    String(text.length),
    'proxy-status',
    `breakwater; error=${proxyError}`,
  ]
  if (retryAfterS !== undefined) headers.push('retry-after', String(retryAfterS))
  if (status === 405) headers.push('allow', 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS')
  if (context.close) request.isLast = true
  request.writeHead(status, undefined, headers, request.head.method === 'HEAD' ? 'none' : 'length')
  request.end(text, [])
}
