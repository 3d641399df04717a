import type { FaultCode } from '../../errors.ts'
import { BODY_BROKE, REFUSED_WHILE_SENDING } from '../../http1/client-connection.ts'
import { MessageFault, type MessageFaultKind } from '../../http1/fault.ts'
import { NOT_PROCESSED, WANTS_HTTP1 } from '../../http2/faults.ts'

/** Codes of node:net, node:dns, node:tls and the connections, with their fault before a response head. */
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
  [BODY_BROKE]: 'client_gone',
  [REFUSED_WHILE_SENDING]: 'upload_refused',
  [NOT_PROCESSED]: 'connect_refused',
  [WANTS_HTTP1]: 'connect_refused',
}

const BY_KIND: Readonly<Record<MessageFaultKind, FaultCode>> = {
  malformed: 'protocol',
  version: 'protocol',
  coding: 'protocol',
  preface: 'protocol',
  target_too_long: 'protocol',
  unasked: 'protocol',
  head_too_large: 'response_head_too_large',
  incomplete: 'reset',
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
export function faultFrom(error: Error | MessageFault, connected: boolean, isTls: boolean): FaultCode {
  if (error instanceof MessageFault) return BY_KIND[error.kind]
  const code = codeOf(error) ?? ''
  if (!connected && (code.startsWith('ERR_SSL_') || code.startsWith('ERR_TLS_'))) return BY_CODE[code] ?? 'tls_protocol'
  const known = BY_CODE[code]
  if (known !== undefined) return known === 'connect_timeout' && connected ? 'reset' : known
  if (connected) return 'reset'
  return isTls ? 'tls_protocol' : 'connect_refused'
}
