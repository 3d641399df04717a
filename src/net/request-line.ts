/** What a request line says, and what of it the sidecar refuses whatever is configured. */

/** Methods that a gateway does not serve (RFC 9110 sections 9.3.6 and 9.3.8). */
export const REFUSED_METHODS: ReadonlySet<string> = new Set(['CONNECT', 'TRACE'])

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

const DOTS = /^(?:\.|%2e)$/i
const DOT_DOT = /^(?:\.|%2e){2}$/i

/**
 * Whether dot segments, also percent-encoded, lead above the root for some reader of the path: one that takes only `/` as a
 * separator, or one that decodes `%2F` and `%5C` first. Empty segments lead nowhere, since readers merge them.
 */
export function climbsOut(path: string): boolean {
  if (!/\.\.|%2e/i.test(path)) return false
  return leavesRoot(path.split('/')) || leavesRoot(path.split(/\/|\\|%2f|%5c/i))
}

function leavesRoot(segments: readonly string[]): boolean {
  let depth = 0
  for (const segment of segments) {
    if (segment === '' || DOTS.test(segment)) continue
    depth += DOT_DOT.test(segment) ? -1 : 1
    if (depth < 0) return true
  }
  return false
}
