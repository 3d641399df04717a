/**
 * The shape of a policy: one folder under src/policy and one entry in policies.ts. The parameters of a policy's functions name
 * the settings and the state that it needs; the compiler checks that the list provides them.
 */

import type { Block } from '../config/kinds/setting.ts'
import type { Deps } from '../deps.ts'
import type { EndpointSnapshot, RouteRef, ServiceSnapshot, UpstreamSnapshot } from '../events.ts'
import type { TimeoutRules } from '../job/timeouts.ts'
import type { PeerNews } from '../peers.ts'
import type { Layer, RouteTraits, Send, Transport } from './exchange.ts'
import type { Gate } from './gate.ts'
import type { CallBounds, Conflict, ExplainScope, Names, Part, RouteScope, Rules, UpstreamScope } from './scope.ts'

/** Keys of the configuration file, by the places where they may stand. */
export type PolicySettings = {
  /** Under `defaults`, an upstream or a route. The innermost value applies. */
  readonly route: Block
  /** Under `defaults` or an upstream, shared by its routes. */
  readonly upstream: Block
  /** Under a route only, not inherited. */
  readonly routeOnly: Block
  /** At the top of the file. */
  readonly service: Block
}

export const NO_SETTINGS = { route: {}, upstream: {}, routeOnly: {}, service: {} } as const satisfies PolicySettings

/** Match of the route for requests that match no other. */
export const NO_ROUTE = '*'

export type RouteOwner<R = unknown> = {
  readonly match: string
  /** The same object as in the generation before, so that the route's counters go on. */
  readonly ref: RouteRef
  readonly settings: R
  /** Scheme, host and port of each endpoint. */
  readonly origins: readonly string[]
}

export type UpstreamOwner<U = unknown, R = unknown> = {
  readonly name: string
  readonly settings: U
  readonly origins: readonly string[]
  /** Routes of the file, and NO_ROUTE. */
  readonly routes: readonly RouteOwner<R>[]
}

/** Whether the sidecar belongs to a fleet, for policies whose words depend on it. */
export type FleetNamed = { readonly fleet: false | { readonly name: string; readonly pods: number } }

export type ServiceOwner<S = unknown> = { readonly settings: S }

export type EndpointOwner<U = unknown> = { readonly origin: string; readonly settings: U }

/**
 * State that outlives a reload: a plain record that one generation hands to the next.
 * @template S the state. @template O its owner, with the settings.
 */
export type Retained<S, O> = {
  /**
   * Makes the state, or takes over the known one where it still means the same. Never changes the known state: it is in force
   * and may stay so.
   * @param known the state in the generation before; undefined where that has none.
   * @param before the owner in the generation before.
   */
  prepare(owner: O, known: S | undefined, before: O | undefined, deps: Deps): S
  /** Applies the settings to state that was taken over, when they come into force. */
  activate?(state: S, owner: O, known: S | undefined, deps: Deps): void
}

export type EndpointPlace<E = unknown> = {
  /** Scheme, host and port. */
  readonly origin: string
  /** State of the endpoint, by name. */
  readonly state: E
  readonly transport: Transport
}

/** A route for which a pipeline is made. */
export type Place<R = unknown, U = unknown, S = unknown, E = unknown> = {
  readonly match: string
  readonly route: R
  readonly upstream: U
  /** State of the service, the upstream and the route, by name. */
  readonly state: S
  readonly endpoints: readonly EndpointPlace<E>[]
  readonly deps: Deps
}

/** An upstream whose figures are read. */
export type Standing<U = unknown, S = unknown, E = unknown, RS = unknown> = {
  readonly upstream: U
  readonly state: S
  readonly endpoints: readonly Omit<EndpointPlace<E>, 'transport'>[]
  readonly routes: readonly RS[]
  readonly deps: Deps
}

/** Everything that a policy may have. CONTRIBUTING.md says what it needs at least. */
export type Policy<U, R, P, E, V, S, SS> = {
  /** Name of the policy in `explain`. */
  readonly name: string
  readonly settings: PolicySettings
  /** Keys of `settings.route` that a route does not inherit once it sets any of them; undefined in the route until then. */
  readonly separate?: readonly string[]
  readonly state?: {
    readonly service?: Readonly<Record<string, Retained<unknown, ServiceOwner<S>>>>
    readonly upstream?: Readonly<Record<string, Retained<unknown, UpstreamOwner<U, R>>>>
    readonly endpoint?: Readonly<Record<string, Retained<unknown, EndpointOwner<U>>>>
    readonly route?: Readonly<Record<string, Retained<unknown, RouteOwner<R>>>>
  }
  readonly traits?: (place: P, rules: TimeoutRules) => Partial<RouteTraits>
  /** Layer around the choice of an endpoint; undefined where the settings turn it off. */
  readonly layer?: (place: P) => Layer | undefined
  /** The same as a gate, for a policy that makes no call of its own. A policy has one of the two. */
  readonly gate?: (place: P) => Gate | undefined
  /** Chooses an endpoint for each call. Exactly one policy has it. @param sends in the order of the endpoints. */
  readonly choose?: (place: P, sends: readonly Send[]) => Send
  /** Gate before each attempt at one endpoint. */
  readonly endpointGate?: (place: P, endpoint: E) => Gate | undefined
  /** Makes the attempt. Exactly one policy has it. */
  readonly attempt?: (place: P, endpoint: E) => Send
  /** Figures of the present state. Figures of the same name from several policies are added up. */
  readonly snapshot?: (standing: V) => Partial<UpstreamSnapshot>
  readonly endpointSnapshot?: (
    standing: V,
    endpoint: V extends Standing ? V['endpoints'][number] : never,
  ) => Partial<EndpointSnapshot>
  /** Figures of what all upstreams share. */
  readonly serviceSnapshot?: (state: SS, deps: Deps) => Partial<ServiceSnapshot>
  /** Takes what another sidecar of the fleet told. @param name of the upstream. */
  readonly hear?: (standing: V, name: string, news: PeerNews) => void
  readonly serviceHear?: (state: SS, news: PeerNews, deps: Deps) => void
  /** What the policy would do with a request, setting by setting. */
  readonly explain?: (scope: ExplainScope<R, U, S>) => readonly Part[]
  readonly bounds?: (scope: ExplainScope<R, U, S>) => CallBounds
  readonly conflicts?: (settings: R, names: Names) => readonly Conflict[]
  readonly warnings?: { readonly route?: Rules<RouteScope<R, U, S>>; readonly upstream?: Rules<UpstreamScope<U>> }
}
