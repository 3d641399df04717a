/**
 * Every policy, outermost first: the whole order, and the only place that knows who stands around whom.
 * docs/decisions/0001-policy-order.md says more on it.
 */

import type { Values } from '../config/kinds/setting.ts'
import { attemptPolicy } from './attempt/policy.ts'
import { balancePolicy } from './balance/policy.ts'
import { breakerPolicy } from './breaker/policy.ts'
import { collapsePolicy } from './collapse/policy.ts'
import { adaptivePolicy, concurrencyPolicy } from './concurrency/policy.ts'
import { connectionsPolicy } from './connections/policy.ts'
import { deadlinePolicy } from './deadline/policy.ts'
import { failureWhenPolicy } from './failure-when/policy.ts'
import { hedgePolicy } from './hedge/policy.ts'
import { holdPolicy } from './hold/policy.ts'
import { observedTimeoutPolicy, observePolicy } from './observe/policy.ts'
import type { EndpointPlace, Place, Policy, Standing } from './policy.ts'
import { ratePolicy, repetitionRatePolicy } from './rate/policy.ts'
import { resumePolicy } from './resume/policy.ts'
import { retryPolicy } from './retry/policy.ts'

const ORDER = [
  // Writes down the deadline that everything which waits further in goes by.
  deadlinePolicy,
  // Before any attempt: all attempts of an exchange go by one limit.
  observedTimeoutPolicy,
  // What several clients share takes one turn, one slot and one connection, whoever waits for it.
  holdPolicy,
  collapsePolicy,
  // Requests wait for the rate in order of arrival, before they take a slot.
  ratePolicy,
  // Around the retry: a request that backs off still belongs to the upstream that it waits for.
  concurrencyPolicy,
  // Around the retry: the rest of a download may be asked for as often as any request.
  resumePolicy,
  // Outside the breaker, which counts every attempt and ends the retries of all when it opens.
  retryPolicy,
  // Inside the retry, which sees the better of two attempts as one.
  hedgePolicy,
  // Inside both, since the upstream counts retries and hedges, too.
  repetitionRatePolicy,
  // Next to the attempts, so that what they measure has no wait in it.
  observePolicy,
  adaptivePolicy,
  // Last of all choices: what was known of an endpoint before the waits is old by now.
  balancePolicy,
  // Outside the breaker: a probe is not admitted, and its lease not begun, before there is a connection for it.
  connectionsPolicy,
  breakerPolicy,
  // No layer: the breaker counts by it what a response says of its job.
  failureWhenPolicy,
  attemptPolicy,
] as const

type Listed = (typeof ORDER)[number]

/** All members of a union at once. */
type Joined<T> = (T extends unknown ? (one: T) => void : never) extends (all: infer A) => void ? A : never

type ValuesAt<Key extends keyof Listed['settings']> = Values<Joined<Listed['settings'][Key]>>

type Separate<P> = P extends { readonly separate: readonly (infer K extends string)[] } ? K : never

/** What a route has for itself alone once it says anything of it. */
export type SeparateKey = Separate<Listed> & keyof UpstreamPolicies

/** Settings of an upstream that policies go by. */
export type UpstreamPolicies = ValuesAt<'route'> & ValuesAt<'upstream'>

/** Settings of a route that policies go by: those that it shares with the upstream are undefined where it has none of its own. */
export type RoutePolicies = Omit<ValuesAt<'route'>, SeparateKey> &
  ValuesAt<'routeOnly'> & { readonly [K in SeparateKey]: UpstreamPolicies[K] | undefined }

type StatesAt<Level extends string> = Joined<
  Listed extends infer P
    ? P extends { readonly state: { readonly [L in Level]: infer All } }
      ? { readonly [K in keyof All]: All[K] extends { prepare(...given: never): infer S } ? S : never }
      : never
    : never
>

/** State that policies have of an upstream, an endpoint and a route, by name. */
export type UpstreamStates = StatesAt<'upstream'>
export type EndpointStates = StatesAt<'endpoint'>
export type RouteStates = StatesAt<'route'>

export type FullPlace = Place<RoutePolicies, UpstreamPolicies, UpstreamStates & RouteStates, EndpointStates>
export type FullStanding = Standing<UpstreamPolicies, UpstreamStates, EndpointStates, RouteStates>

/** The list as whoever folds over it sees it: with this the compiler checks that each policy gets what it needs. */
export const POLICIES: readonly Policy<
  UpstreamPolicies,
  RoutePolicies,
  FullPlace,
  EndpointPlace<EndpointStates>,
  FullStanding
>[] = ORDER
