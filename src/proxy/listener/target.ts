import { ProxyError } from '../../errors.ts'
import { isAuthority } from '../../net/authority.ts'

/** Target of an OPTIONS for the server as a whole (RFC 9112 section 3.2.4). */
export const SERVER_WIDE = '*'

const ABSOLUTE = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]+/i

/**
 * Path and query of a request target. An absolute-form target loses scheme and authority, which choose nothing here. The rest
 * stays byte for byte.
 * @throws ProxyError `bad_target` for any other form (RFC 9112 section 3.2), and for a target with a fragment: a reader that
 * strips it would see another path (Envoy rejects it, too).
 */
export function originForm(target: string): string {
  if (target.includes('#')) throw new ProxyError('bad_target', 'a request target has no fragment')
  if (target.startsWith('/')) return target
  const absolute = ABSOLUTE.exec(target)
  if (absolute === null) throw new ProxyError('bad_target', 'the request target is neither a path nor an absolute URL')
  const rest = target.slice(absolute[0].length)
  return rest.startsWith('/') ? rest : `/${rest}`
}

/** As `originForm`; an absolute form without path and query means the server as a whole. */
export function optionsTarget(target: string): string {
  const isServerWide = target === SERVER_WIDE || ABSOLUTE.exec(target)?.[0] === target
  return isServerWide ? SERVER_WIDE : originForm(target)
}

/**
 * The authority of an absolute-form target, without user information; undefined for another form, and without a valid one.
 * It replaces Host (RFC 9112 section 3.2.2).
 */
export function authorityOf(target: string): string | undefined {
  if (target.startsWith('/')) return undefined
  const authority = /^[a-z][a-z0-9+.-]*:\/\/(?:[^/?#]*@)?([^/?#]*)/i.exec(target)?.[1]
  return authority !== undefined && isAuthority(authority) ? authority : undefined
}
