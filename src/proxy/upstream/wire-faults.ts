import type { FaultCode } from '../../errors.ts'

/** Codes of node:net, node:dns, node:tls and undici, with their fault before a response head. */
const BY_CODE: Readonly<Record<string, FaultCode>> = {
  ENOTFOUND: 'dns_error',
  EAI_AGAIN: 'dns_error',
  EAI_FAIL: 'dns_error',
  EAI_NODATA: 'dns_error',
  ECONNREFUSED: 'connect_refused',
  EHOSTUNREACH: 'unreachable',
  ENETUNREACH: 'unreachable',
  EHOSTDOWN: 'unreachable',
  ENETDOWN: 'unreachable',
  EACCES: 'unreachable',
  EADDRNOTAVAIL: 'local_limit',
  EPERM: 'local_limit',
  EMFILE: 'local_limit',
  ENFILE: 'local_limit',
  ETIMEDOUT: 'connect_timeout',
  UND_ERR_CONNECT_TIMEOUT: 'connect_timeout',
  EPROTO: 'tls_protocol',
  CERT_HAS_EXPIRED: 'tls_certificate',
  CERT_NOT_YET_VALID: 'tls_certificate',
  CERT_REVOKED: 'tls_certificate',
  CERT_UNTRUSTED: 'tls_certificate',
  CERT_REJECTED: 'tls_certificate',
  CERT_SIGNATURE_FAILURE: 'tls_certificate',
  CERT_CHAIN_TOO_LONG: 'tls_certificate',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'tls_certificate',
  SELF_SIGNED_CERT_IN_CHAIN: 'tls_certificate',
  UNABLE_TO_GET_ISSUER_CERT: 'tls_certificate',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'tls_certificate',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'tls_certificate',
  INVALID_CA: 'tls_certificate',
  INVALID_PURPOSE: 'tls_certificate',
  HOSTNAME_MISMATCH: 'tls_certificate',
  ERR_TLS_CERT_ALTNAME_INVALID: 'tls_certificate',
  UND_ERR_HEADERS_OVERFLOW: 'response_head_too_large',
  HPE_HEADER_OVERFLOW: 'response_head_too_large',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'protocol',
  UND_ERR_NOT_SUPPORTED: 'protocol',
  UND_ERR_REQ_CONTENT_LENGTH_MISMATCH: 'client_gone',
}

/** The native error code, also from the attempts of Happy Eyeballs; undefined without one. */
export function codeOf(error: unknown): string | undefined {
  if (error instanceof AggregateError && error.errors.length > 0) return codeOf(error.errors.at(-1))
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

/**
 * Fault of a failed call.
 * @param connected whether the connection was up, including TLS: before that a closed socket means that there is no connection,
 * after it that the connection was lost.
 */
export function faultFrom(error: unknown, connected: boolean, isTls: boolean): FaultCode {
  const code = codeOf(error) ?? ''
  if (code.startsWith('HPE_')) return BY_CODE[code] ?? 'protocol'
  if (!connected && (code.startsWith('ERR_SSL_') || code.startsWith('ERR_TLS_'))) return BY_CODE[code] ?? 'tls_protocol'
  const known = BY_CODE[code]
  if (known !== undefined) return known === 'connect_timeout' && connected ? 'reset' : known
  if (connected) return isBadResponse(error) ? 'protocol' : 'reset'
  return isTls ? 'tls_protocol' : 'connect_refused'
}

/** Whether undici met bytes where no response was due, or an upgrade that nobody asked for. */
const isBadResponse = (error: unknown) =>
  error instanceof Error && codeOf(error) === 'UND_ERR_SOCKET' && /^bad (response|upgrade)$/.test(error.message)
