/**
 * All policies in order, outermost first. Only this list knows which policy stands around which.
 * docs/decisions/0001-policy-order.md gives the reasons at length.
 */

import type { Values } from '../config/kinds/setting.ts'
import { attemptPolicy } from './attempt/policy.ts'
import { balancePolicy } from './balance/policy.ts'
import { breakerPolicy, patiencePolicy } from './breaker/policy.ts'
import { collapsePolicy } from './collapse/policy.ts'
import { adaptivePolicy, concurrencyPolicy } from './concurrency/policy.ts'
import { connectionsPolicy } from './connections/policy.ts'
import { deadlinePolicy } from './deadline/policy.ts'
import { failureWhenPolicy } from './failure-when/policy.ts'
import { hedgePolicy } from './hedge/policy.ts'
import { holdPolicy } from './hold/policy.ts'
import { jobsPolicy } from './jobs/policy.ts'
import { limitsPolicy } from './limits/policy.ts'
import { observedTimeoutPolicy, observePolicy } from './observe/policy.ts'
import { pathsPolicy } from './paths/policy.ts'
import type { EndpointPlace, Place, Policy, PolicySettings, Standing } from './policy.ts'
import { hedgeRatePolicy, ratePolicy } from './rate/policy.ts'
import { resumePolicy } from './resume/policy.ts'
import { retryPolicy } from './retry/policy.ts'

const ORDER = [
  // Sets the deadline that all later waits go by.
  deadlinePolicy,
  // Before any attempt: all attempts of an exchange have the same limit.
  observedTimeoutPolicy,
  // Shared calls take one turn, one slot and one connection, however many clients wait for them.
  holdPolicy,
  collapsePolicy,
  // Around the retry: the rest of a download is requested like any other request, with retries.
  resumePolicy,
  // Outside everything that a request takes for an attempt: in its back-off it holds no turn, no slot and no connection.
  retryPolicy,
  // Inside the hold and the retry: each response of the upstream that tells of a job is seen, also one that no client gets.
  jobsPolicy,
  // Before the rest: a call that waits for the upstream's own limit, or for its breaker, holds nothing either.
  pathsPolicy,
  patiencePolicy,
  // Calls wait for the rate in order of arrival, before they take a slot.
  ratePolicy,
  // Before the upstream's own slots: what waits for a shared one keeps none from requests that need no shared one.
  limitsPolicy,
  concurrencyPolicy,
  // Inside the slot: two attempts beside each other are one request to the upstream. The retry sees the better of the two.
  hedgePolicy,
  // Inside the hedge, since the upstream counts its calls, too.
  hedgeRatePolicy,
  // Next to the attempts, so that the measured time includes no wait.
  observePolicy,
  adaptivePolicy,
  // The last choice: what was known of an endpoint before the waits is out of date.
  balancePolicy,
  // Outside the breaker: a probe's lease begins only once there is a connection for it.
  connectionsPolicy,
  breakerPolicy,
  // No layer: gives the breaker the rule by which it reads a job's status.
  failureWhenPolicy,
  attemptPolicy,
] as const

type Listed = (typeof ORDER)[number]

/** Intersection of the members of a union. */
type Joined<T> = (T extends unknown ? (one: T) => void : never) extends (all: infer A) => void ? A : never

type ValuesAt<Key extends keyof PolicySettings> = Values<Joined<Listed['settings'][Key]>>

type Separate<P> = P extends { readonly separate: readonly (infer K extends string)[] } ? K : never

/** Keys that a route does not inherit once it sets any of them. */
export type SeparateKey = Separate<Listed> & keyof UpstreamPolicies

/** Settings at the top of the file that belong to policies. */
export type ServicePolicies = ValuesAt<'service'>

/** Settings of an upstream that belong to policies. */
export type UpstreamPolicies = ValuesAt<'route'> & ValuesAt<'upstream'>

/** Settings of a route that belong to policies. Those of SeparateKey are undefined when the route shares the upstream's. */
export type RoutePolicies = Omit<ValuesAt<'route'>, SeparateKey> &
  ValuesAt<'routeOnly'> & { readonly [K in SeparateKey]: UpstreamPolicies[K] | undefined }

type StatesAt<Level extends string> = Joined<
  Listed extends infer P
    ? P extends { readonly state: { readonly [L in Level]: infer All } }
      ? { readonly [K in keyof All]: All[K] extends { prepare(...given: never): infer S } ? S : never }
      : never
    : never
>

/** State of policies for the service, an upstream, an endpoint and a route, by name. */
export type ServiceStates = StatesAt<'service'>
export type UpstreamStates = StatesAt<'upstream'>
export type EndpointStates = StatesAt<'endpoint'>
export type RouteStates = StatesAt<'route'>

export type FullPlace = Place<
  RoutePolicies,
  UpstreamPolicies,
  ServiceStates & UpstreamStates & RouteStates,
  EndpointStates
>
export type FullStanding = Standing<UpstreamPolicies, UpstreamStates, EndpointStates, RouteStates>

/**
 * The list for everything that folds over it. Its type makes the compiler check that each policy gets the settings and the
 * state that it needs.
 */
export const POLICIES: readonly Policy<
  UpstreamPolicies,
  RoutePolicies,
  FullPlace,
  EndpointPlace<EndpointStates>,
  FullStanding,
  ServicePolicies,
  ServiceStates
>[] = ORDER
