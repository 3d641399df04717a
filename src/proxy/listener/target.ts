import { ProxyError } from '../../errors.ts'
import { isAuthority } from '../../net/authority.ts'

/**
 * Path and query of a request target. An absolute-form target loses scheme and authority, which choose nothing here. The rest
 * stays byte for byte.
 * @throws ProxyError `bad_target` for any other form (RFC 9112 section 3.2), and for a target with a fragment: a reader that
 * strips it would see another path (Envoy rejects it, too).
 */
export function originForm(target: string): string {
  if (target.includes('#')) throw new ProxyError('bad_target', 'a request target has no fragment')
  if (target.startsWith('/')) return target
  const absolute = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i.exec(target)
  if (absolute === null) throw new ProxyError('bad_target', 'the request target is neither a path nor an absolute URL')
  const rest = target.slice(absolute[0].length)
  return rest.startsWith('/') ? rest : `/${rest}`
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

/** The path of an origin-form target, without its query. */
export function pathOf(target: string): string {
  const query = target.indexOf('?')
  return query < 0 ? target : target.slice(0, query)
}

/** Splits off the first path segment: `/name/jobs?x=1` → `name`, `/jobs?x=1`. */
export function splitPrefix(target: string): { readonly prefix: string; readonly rest: string } {
  const end = target.slice(1).search(/[/?]/)
  if (end < 0) return { prefix: target.slice(1), rest: '/' }
  const rest = target.slice(end + 1)
  return { prefix: target.slice(1, end + 1), rest: rest.startsWith('/') ? rest : `/${rest}` }
}
