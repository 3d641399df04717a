/** Scopes that `explain`, `check` and the schema give to a policy, and the results that it returns. */

import type { Inputs, TimeoutRules } from '../job/timeouts.ts'

/** What one setting does with a request. */
export type Part = {
  readonly says: string
  /** Path of the setting in the file, also for a default. */
  readonly setting: string
  /** null for a default. */
  readonly line: number | null
}

/** The route that a request meets, or what holds for requests that match none. */
export type ExplainScope<R = unknown, U = unknown, S = unknown> = {
  readonly route: R
  /** Settings at the top of the file that belong to policies. */
  readonly service: S
  readonly upstream: U & { readonly urls: readonly string[] }
  readonly match: string | undefined
  readonly method: string
  readonly inputs: Inputs
  /** Computed timeouts by name. */
  readonly timeouts: TimeoutRules
  /** Makes a Part with the setting's line. @param setting keys joined by dots, from the route on. */
  readonly part: (setting: string, says: string) => Part
}

/** Effect of a policy on the number of calls for one request. */
export type CallBounds = {
  /** Factor of the number of calls. */
  readonly times?: number
  /** Calls added to that number. */
  readonly more?: number
  /** Reason for the factor or the added calls. */
  readonly reason?: string
  /** Whether the request may be answered by a call made for another request. */
  readonly isShared?: boolean
  /** Continues the sentence about the client's best case. */
  readonly best?: string
  /** Continues the sentence about the upstream's worst case. */
  readonly worst?: string
}

export type Finding = {
  /**
   * Settings that cause the finding, keys joined by dots, from the scope on. It is reported at the one set nearest to the
   * request.
   */
  readonly at: readonly [string, ...string[]]
  /** The consequence. */
  readonly reason: string
  /** The remedy. */
  readonly fix: string
}

/** Warning rules by their stable names. */
export type Rules<Scope> = Readonly<Record<string, (scope: Scope) => Finding | undefined>>

export type UpstreamScope<U = unknown> = { readonly upstream: U & { readonly urls: readonly string[] } }

/** A route, or what holds for requests that match none. */
export type RouteScope<R = unknown, U = unknown, S = unknown> = UpstreamScope<U> & {
  readonly route: R
  /** Settings at the top of the file that belong to policies. */
  readonly service: S
  /** undefined for requests that match no route. */
  readonly match: string | undefined
  /** Timeouts in ms: computed ones with the default inputs, observed ones with their maximum. */
  readonly lengths: Lengths
  /** Whether the file sets a setting, at the route or above it. */
  readonly isWritten: (setting: string) => boolean
}

export type Lengths = {
  readonly connectMs: number
  readonly attemptMs: number
  readonly totalMs: number
  readonly idleMs: number
  readonly usefulMs: number
  readonly tunnelMs: number
}

/** Settings that conflict although each is valid. @param path from the route on. */
export type Conflict = { readonly path: readonly PropertyKey[]; readonly message: string }

/** Names that a setting may refer to. */
export type Names = {
  readonly computed: readonly string[]
  readonly inputs: readonly string[]
  readonly limits: readonly string[]
  readonly match: string
}
