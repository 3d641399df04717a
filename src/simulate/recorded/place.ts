import type { RouteRef } from '../../events.ts'
import { compileMatch, type Match, matchParts } from '../../job/match.ts'

/** Upstream and route of a log's line, and which requests are the route's. */
export type Place = { readonly ref: RouteRef; readonly matches: Match }

export const placeAt = (ref: RouteRef): Place => ({
  ref,
  matches: ref.route.includes(' ') ? compileMatch(pathOnly(ref.route)) : () => false,
})

/** The log has neither query nor header fields. */
function pathOnly(match: string): string {
  const { method, path } = matchParts(match)
  return `${method} ${path}`
}

/** On the shared listener the first segment names the upstream. */
export function withoutPrefix(method: string, path: string, place: Place | undefined): string {
  if (place === undefined) return path
  const { ref, matches } = place
  const prefix = `/${ref.upstream}`
  if (!path.startsWith(`${prefix}/`) && path !== prefix) return path
  const rest = path.slice(prefix.length) || '/'
  return matches(method, path, path, []) ? path : rest
}
