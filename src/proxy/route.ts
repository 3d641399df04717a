import type { Match } from '../job/match.ts'
import type { RawHeaders } from '../net/fields.ts'
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

/**
 * The first route, in the order of the file, that matches the request.
 * @param path without query, as the client sent it. @param target ends with the query, where there is one.
 */
export function routeFor(upstream: Upstream, method: string, path: string, target: string, headers: RawHeaders): Route {
  for (const { matches, route } of upstream.routes) if (matches(method, path, target, headers)) return route
  return upstream.fallback
}
