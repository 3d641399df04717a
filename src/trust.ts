import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls'

/**
 * The authorities that are trusted. To be made once for many connections: of hundreds of certificates, it takes 35 ms.
 * @param further PEM text of authorities besides Node's and the system's; '' for none.
 */
export function trusting(further: string): SecureContext {
  const own = further === '' ? [] : [further]
  return createSecureContext({ ca: [...getCACertificates('default'), ...getCACertificates('system'), ...own] })
}
