/**
 * State that outlives a configuration, by upstream: plain records that one Runtime hands to the next. A record is taken over
 * where it still means the same, and never changed before its successor is in force.
 */

import { isDeepStrictEqual } from 'node:util'
import { unmatchedRoute, type UpstreamConfig } from '../config/schema.ts'
import type { Deps } from '../deps.ts'
import {
  POLICIES,
  type EndpointStates,
  type ServiceSettings,
  type ServiceStates,
  type RoutePolicies,
  type RouteStates,
  type UpstreamPolicies,
  type UpstreamStates,
} from '../policy/policies.ts'
import {
  type EndpointOwner,
  NO_ROUTE,
  type Retained,
  type RouteOwner,
  type ServiceOwner,
  type UpstreamOwner,
} from '../policy/policy.ts'
import { readTls } from '../net/tls/files.ts'
import type { TransportSettings, UpstreamConnections } from '../proxy/upstream/transport.ts'

/** Does not open a connection yet. */
export type Connect = (settings: TransportSettings) => UpstreamConnections

/** Retained state of one configuration. */
export type RetainedState = { readonly service: ServiceState; readonly upstreams: RetainedUpstreams }

/** By name of the upstream. */
type RetainedUpstreams = ReadonlyMap<string, UpstreamState>

/** What upstreams share. */
type ServiceState = { readonly owner: ServiceOwner<ServiceSettings>; readonly states: ServiceStates }

export type UpstreamState = {
  readonly config: UpstreamConfig
  readonly owner: UpstreamOwner<UpstreamPolicies, RoutePolicies>
  readonly states: UpstreamStates
  readonly endpoints: readonly EndpointRecord[]
  /** In the order of the file. The last one, NO_ROUTE, is for requests that match no other. */
  readonly routes: readonly RouteRecord[]
}

type EndpointRecord = {
  readonly origin: string
  readonly settings: TransportSettings
  readonly wire: UpstreamConnections
  readonly owner: EndpointOwner<UpstreamPolicies>
  readonly states: EndpointStates
}

type RouteRecord = { readonly owner: RouteOwner<RoutePolicies>; readonly states: RouteStates }

export function prepareService(settings: ServiceSettings, before: ServiceState | undefined, deps: Deps): ServiceState {
  const owner = { settings }
  return { owner, states: prepared(AT_SERVICE, owner, before, deps) as ServiceStates }
}

export const activateService = (state: ServiceState, before: ServiceState, deps: Deps): void =>
  activate(AT_SERVICE, state, before, deps)

/** @param readText of a file that the configuration names; throws when it cannot be read. */
export function prepareUpstream(
  config: UpstreamConfig,
  before: UpstreamState | undefined,
  connect: Connect,
  readText: (path: string) => string,
  deps: Deps,
): UpstreamState {
  const origins = config.urls.map((url) => new URL(url).origin)
  const routes = [...config.routes, { ...unmatchedRoute(config), match: NO_ROUTE }].map(
    (settings): RouteOwner<RoutePolicies> => {
      const known = before?.routes.find(({ owner }) => owner.match === settings.match)
      const ref = known?.owner.ref ?? { upstream: config.name, route: settings.match }
      return { match: settings.match, ref, settings, origins }
    },
  )
  const owner = { name: config.name, settings: config, origins, routes }
  // Each record has the names that the policies of its level give it, as the type says.
  return {
    config,
    owner,
    states: prepared(AT_UPSTREAM, owner, before, deps) as UpstreamStates,
    endpoints: endpointsFor(config, before, connect, readText, deps),
    routes: routes.map((one) => {
      const known = before?.routes.find((other) => other.owner.match === one.match)
      return { owner: one, states: prepared(AT_ROUTE, one, known, deps) as RouteStates }
    }),
  }
}

/** Applies the settings to state that was taken over, when they come into force. */
export function activateUpstream(state: UpstreamState, before: UpstreamState | undefined, deps: Deps): void {
  activate(AT_UPSTREAM, state, before, deps)
  for (const endpoint of state.endpoints) {
    const known = before?.endpoints.find(({ origin }) => origin === endpoint.origin)
    activate(AT_ENDPOINT, endpoint, known, deps)
  }
  for (const route of state.routes) {
    const known = before?.routes.find(({ owner }) => owner.match === route.owner.match)
    activate(AT_ROUTE, route, known, deps)
  }
}

type Kinds<O> = readonly (readonly [name: string, kind: Retained<unknown, O>])[]

const AT_SERVICE = POLICIES.flatMap(({ state }) => Object.entries(state?.service ?? {}))
const AT_UPSTREAM = POLICIES.flatMap(({ state }) => Object.entries(state?.upstream ?? {}))
const AT_ENDPOINT = POLICIES.flatMap(({ state }) => Object.entries(state?.endpoint ?? {}))
const AT_ROUTE = POLICIES.flatMap(({ state }) => Object.entries(state?.route ?? {}))

type Held<O> = { readonly owner: O; readonly states: Readonly<Record<string, unknown>> }

function prepared<O>(kinds: Kinds<O>, owner: O, before: Held<O> | undefined, deps: Deps): Record<string, unknown> {
  return Object.fromEntries(
    kinds.map(([name, kind]) => [name, kind.prepare(owner, before?.states[name], before?.owner, deps)]),
  )
}

function activate<O>(kinds: Kinds<O>, { owner, states }: Held<O>, before: Held<O> | undefined, deps: Deps): void {
  for (const [name, kind] of kinds) kind.activate?.(states[name], owner, before?.states[name], deps)
}

/** Connections that no successor took over. */
export function leftBehind(before: RetainedUpstreams, after: RetainedUpstreams): UpstreamConnections[] {
  const kept = new Set([...after.values()].flatMap(({ endpoints }) => endpoints.map(({ wire }) => wire)))
  return [...before.values()].flatMap(({ endpoints }) =>
    endpoints.filter(({ wire }) => !kept.has(wire)).map(({ wire }) => wire),
  )
}

function endpointsFor(
  config: UpstreamConfig,
  before: UpstreamState | undefined,
  connect: Connect,
  readText: (path: string) => string,
  deps: Deps,
): EndpointRecord[] {
  const { connections, http2, tls, urls } = config
  const { ca, cert, key } = readTls(`upstreams.${config.name}.tls`, tls, readText)
  return urls.map((url) => {
    const { origin } = new URL(url)
    const settings: TransportSettings = {
      origin: new URL(origin),
      idleMs: connections.idleMs,
      resolveMs: connections.resolveMs,
      ca,
      cert,
      key,
      servername: tls.servername,
      http2,
    }
    const known = before?.endpoints.find((one) => one.origin === origin)
    const isSame = known !== undefined && isSameWire(known.settings, settings)
    const owner = { origin, settings: config }
    return {
      origin,
      settings,
      wire: isSame ? known.wire : connect(settings),
      owner,
      states: prepared(AT_ENDPOINT, owner, known, deps) as EndpointStates,
    }
  })
}

const isSameWire = (one: TransportSettings, other: TransportSettings) =>
  isDeepStrictEqual({ ...one, origin: one.origin.origin }, { ...other, origin: other.origin.origin })
