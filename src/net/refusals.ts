/** Requests that are refused whatever the configuration says. */

/** Methods that a gateway does not serve (RFC 9110 sections 9.3.6 and 9.3.8). */
export const REFUSED_METHODS: ReadonlySet<string> = new Set(['CONNECT', 'TRACE'])

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
