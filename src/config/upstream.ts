/** Settings of upstreams and routes: those of all policies, and those that belong to none. */

import { POLICIES, type RoutePolicies, type SeparateKey, type UpstreamPolicies } from '../policy/policies.ts'
import { FIELDS } from './fields.ts'
import { listOf, text } from './kinds/kinds.ts'
import { defaultsOf, joined, setting, type Values, whole } from './kinds/setting.ts'

const protocol = text.regex(/^[!#$%&'*+.^_`|~\w-]+(?:\/[!#$%&'*+.^_`|~\w-]+)?$/, {
  error: 'expected the name of a protocol such as websocket',
})

const OWN_ROUTE = {
  ...FIELDS,
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
    cert: setting(text, '', 'PEM file of the client certificate for the upstream, with its chain. Needs key.'),
    key: setting(text, '', 'PEM file of the private key of cert.'),
  },
}

/** Keys that upstreams, defaults and routes may set. */
export const ROUTE = joined([...POLICIES.map(({ settings }) => settings.route), OWN_ROUTE])

/** Keys that only upstreams and defaults may set. */
export const UPSTREAM_ONLY = joined([...POLICIES.map(({ settings }) => settings.upstream), OWN_UPSTREAM])

/** Keys that `defaults` and upstreams may set. */
export const UPSTREAM = joined([ROUTE, UPSTREAM_ONLY])

/** Keys that only routes may set, without inheritance. */
export const ROUTE_ONLY = joined(POLICIES.map(({ settings }) => settings.routeOnly))

/** Keys of policies at the top of the file. */
export const SERVICE = joined(POLICIES.map(({ settings }) => settings.service))

/** Keys that a route has for itself once it sets anything of them; undefined in the route until then. */
export const SEPARATE: readonly string[] = POLICIES.flatMap(({ separate = [] }) => separate)

export type UpstreamValues = UpstreamPolicies & Values<typeof OWN_ROUTE> & Values<typeof OWN_UPSTREAM>
export type RouteValues = RoutePolicies & Values<typeof OWN_ROUTE>

type RouteOnly = Exclude<keyof RouteValues, keyof UpstreamValues>

/** Values of requests that match no route, for the keys that only routes have. */
export const UNMATCHED = {
  ...whole(ROUTE_ONLY).parse(defaultsOf(ROUTE_ONLY)),
  ...Object.fromEntries(SEPARATE.map((key) => [key, undefined])),
  // A schema that a loop builds has no type of its own. The blocks of ROUTE_ONLY say what it yields.
} as Pick<RouteValues, RouteOnly | SeparateKey>
