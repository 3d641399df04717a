import type { FieldRules } from './fields/rules.ts'
import type { ExchangeRoute, RouteTraits, Send } from '../policy/exchange.ts'

/** Compiled settings of one route. Only read. */
export type Route = Pick<ExchangeRoute, 'ref'> &
  RouteTraits & {
    readonly send: Send
    /** Protocols that its requests may switch to, in lower case. */
    readonly upgrades: ReadonlySet<string>
    /** What it does to the header fields and URLs of its messages. */
    readonly fields: FieldRules
  }

export type Upstream = {
  readonly name: string
  /** Scheme, host and port of each endpoint. One at least. */
  readonly origins: readonly URL[]
  /** Path prefix at the upstream without a trailing slash; '' for none. */
  readonly basePath: string
  readonly routes: readonly { readonly matches: Match; readonly route: Route }[]
  /** Route for requests that match none. */
  readonly fallback: Route
}

/** @param path without query, as the client sent it. */
type Match = (method: string, path: string) => boolean

/** The first route, in the order of the file, that matches the request. */
export function routeFor(upstream: Upstream, method: string, path: string): Route {
  for (const { matches, route } of upstream.routes) if (matches(method, path)) return route
  return upstream.fallback
}

/**
 * Compiles a route's `match`: `GET /jobs/{id}/download`, `POST /search/*`, `* /health`. `{name}` and an inner `*` stand for one
 * non-empty segment, a last `*` for the whole rest. Compares bytes without decoding. A GET route also matches HEAD.
 */
export function compileMatch(pattern: string): Match {
  const space = pattern.indexOf(' ')
  const method = pattern.slice(0, space)
  const segments = pattern.slice(space + 1).split('/')
  const last = segments.length - 1
  const source = segments.map((segment, i) => {
    if (segment === '*' && i === last) return '.+'
    return segment === '*' || /^\{.*\}$/.test(segment) ? '[^/]+' : RegExp.escape(segment)
  })
  const path = new RegExp(`^${source.join('/')}$`, 's')
  return (asked, at) => (method === '*' || method === asked || (method === 'GET' && asked === 'HEAD')) && path.test(at)
}
