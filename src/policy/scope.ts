/** What `explain`, `check` and the schema look at of a policy, and what it tells them. */

import type { Inputs, TimeoutRules } from '../job/timeouts.ts'

/** What one setting does with a request. */
export type Part = {
  readonly says: string
  /** As it stands in the file, or would. */
  readonly setting: string
  /** null for a default. */
  readonly line: number | null
}

/** The route that a request meets, or what holds for requests that match none. */
export type ExplainScope<R = unknown, U = unknown> = {
  readonly route: R
  readonly upstream: U & { readonly urls: readonly string[] }
  readonly match: string | undefined
  readonly method: string
  readonly inputs: Inputs
  /** Computed timeouts by name. */
  readonly timeouts: TimeoutRules
  /** Tells a setting with its line. @param setting keys joined by dots, from the route on. */
  readonly part: (setting: string, says: string) => Part
}

/** What a policy makes of one request's calls to its upstream. */
export type CallBounds = {
  /** Factor of the number of calls. */
  readonly times?: number
  /** Calls beside those. */
  readonly more?: number
  /** Where there is a factor or a call more: why. */
  readonly reason?: string
  /** Whether the request may be answered by a call that another one made. */
  readonly isShared?: boolean
  /** Continues the sentence on the best that the client may see. */
  readonly best?: string
  /** Continues the sentence on the most calls that the upstream may see. */
  readonly worst?: string
}

export type Finding = {
  /** The settings that it comes of, keys joined by dots, from the scope on; it is told at the one said nearest to the request. */
  readonly at: readonly [string, ...string[]]
  /** What will happen. */
  readonly reason: string
  /** What to write instead. */
  readonly fix: string
}

/** By the stable name of the warning. */
export type Rules<Scope> = Readonly<Record<string, (scope: Scope) => Finding | undefined>>

export type UpstreamScope<U = unknown> = { readonly upstream: U & { readonly urls: readonly string[] } }

/** A route, or what holds for requests that match none. */
export type RouteScope<R = unknown, U = unknown> = UpstreamScope<U> & {
  readonly route: R
  /** undefined for requests that match no route. */
  readonly match: string | undefined
  /** Each timeout in ms: a computed one for a job with the default inputs, the limit of an observed one. */
  readonly lengths: Lengths
  /** Whether the file says a setting, at the route or above it. */
  readonly said: (setting: string) => boolean
}

export type Lengths = {
  readonly connectMs: number
  readonly attemptMs: number
  readonly totalMs: number
  readonly idleMs: number
  readonly tunnelMs: number
}

/** Settings that are legal one by one and not together. @param path from the route on. */
export type Conflict = { readonly path: readonly PropertyKey[]; readonly message: string }

/** Names that a setting may refer to. */
export type Names = { readonly computed: readonly string[]; readonly inputs: readonly string[]; readonly match: string }
