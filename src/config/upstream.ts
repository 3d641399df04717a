/** Settings of upstreams and routes: those of the policies, and the few that belong to none. */

import { POLICIES, type RoutePolicies, type SeparateKey, type UpstreamPolicies } from '../policy/policies.ts'
import { listOf, text } from './kinds/kinds.ts'
import { defaultsOf, joined, setting, type Values, whole } from './kinds/setting.ts'

const protocol = text.regex(/^[!#$%&'*+.^_`|~\w-]+(?:\/[!#$%&'*+.^_`|~\w-]+)?$/, {
  error: 'expected the name of a protocol such as websocket',
})

const OWN_ROUTE = {
  upgrades: setting(
    listOf(protocol),
    ['websocket'],
    'Protocols that a request without a body may switch to. Other offers are served as plain requests.',
  ),
}

const OWN_UPSTREAM = {
  tls: {
    ca: setting(text, '', 'PEM file of a certificate authority to trust besides the default ones.'),
    servername: setting(
      text,
      '',
      "Server name (SNI) of the upstream and of its certificate. The url's host when empty.",
    ),
  },
}

/** What a route may have of its own. */
export const ROUTE = joined([...POLICIES.map(({ settings }) => settings.route), OWN_ROUTE])

/** What only an upstream has, for all its routes together. */
export const UPSTREAM_ONLY = joined([...POLICIES.map(({ settings }) => settings.upstream), OWN_UPSTREAM])

/** What `defaults` and each upstream may say. */
export const UPSTREAM = joined([ROUTE, UPSTREAM_ONLY])

/** What single routes may say, inherited from nowhere. */
export const ROUTE_ONLY = joined(POLICIES.map(({ settings }) => settings.routeOnly))

/** What a route has for itself alone once it says anything of it. */
export const SEPARATE: readonly string[] = POLICIES.flatMap(({ separate = [] }) => separate)

export type UpstreamValues = UpstreamPolicies & Values<typeof OWN_ROUTE> & Values<typeof OWN_UPSTREAM>
export type RouteValues = RoutePolicies & Values<typeof OWN_ROUTE>

type RouteOnly = Exclude<keyof RouteValues, keyof UpstreamValues>

/** For requests that match no route: nothing that only a route may say, and nothing of a route's own. */
export const UNMATCHED = {
  ...whole(ROUTE_ONLY).parse(defaultsOf(ROUTE_ONLY)),
  ...Object.fromEntries(SEPARATE.map((key) => [key, undefined])),
  // A schema built by a loop has no type of its own: the blocks of ROUTE_ONLY say what it yields.
} as Pick<RouteValues, RouteOnly | SeparateKey>
