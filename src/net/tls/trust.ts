import { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls'
import { hostname } from '../loopback.ts'

/** The client's own certificate with its chain, and its private key. PEM text; both '' for none. */
export type ClientCertificate = { readonly cert: string; readonly key: string }

const NO_CERTIFICATE: ClientCertificate = { cert: '', key: '' }

/** By the PEM text of authorities, certificate and key, as long as a context is in use. */
const made = new Map<string, WeakRef<SecureContext>>()

/**
 * TLS context with the default, system and given authorities, and a client certificate. Cached by PEM text: building one takes
 * 0.1 s.
 * @param further PEM text of authorities to add; '' for none.
 */
export function trusting(further: string, { cert, key } = NO_CERTIFICATE): SecureContext {
  const id = JSON.stringify([further, cert, key])
  const known = made.get(id)?.deref()
  if (known !== undefined) return known
  const own = further === '' ? [] : [further]
  const ca = [...standardAuthorities(), ...own]
  const trust = createSecureContext(cert === '' ? { ca } : { ca, cert, key })
  made.set(id, new WeakRef(trust))
  return trust
}

/** Most are in both lists, and some several times in the system's: each is read once. */
const standardAuthorities = () =>
  new Set([...getCACertificates('default'), ...getCACertificates('system')].map((pem) => pem.trim()))

const CERTIFICATE =
  /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[\s\S]*?-----END (?:TRUSTED |X509 )?CERTIFICATE-----/g

/** @throws Error for a text without a certificate, which a TLS context would take for none, or with one that cannot be read. */
export function assertAuthorities(pem: string): void {
  const found = pem.match(CERTIFICATE)
  if (found === null) throw new Error('the file has no certificate in PEM')
  for (const one of found) new X509Certificate(one)
}

/** @throws Error for a certificate or a key that cannot be read, or that do not belong together. */
export function assertCertificate({ cert, key }: ClientCertificate): void {
  if (cert !== '') createSecureContext({ cert, key })
}

/**
 * Server name for SNI and the certificate.
 * @param configured name; '' for the origin's host.
 * @returns '' for an IP address, which SNI has no place for (RFC 6066 section 3).
 */
export function serverNameOf(origin: URL, configured: string): string {
  if (configured !== '') return configured
  const host = hostname(origin.host)
  return isIP(host) === 0 ? host : ''
}
