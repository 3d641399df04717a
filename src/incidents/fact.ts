/** What happened, in the terms that events of the data plane and lines of the log have in common. */

import type { RequestView } from '../dashboard/shapes.ts'
import type { FaultCode } from '../errors.ts'
import type { BreakerMode, BreakerState, TripCause } from '../events.ts'

/** Moments are wall-clock ms since the Unix epoch. */
type At = { readonly at: number }

/** A breaker: of the upstream, or of a route; at its only endpoint, or at one of several. */
type OfBreaker = {
  readonly upstream: string
  readonly route: string | undefined
  readonly endpoint: string | undefined
}

/** A request that ended. What only an example shows is read when it becomes one. */
export type RequestFact = At & {
  readonly kind: 'request'
  readonly upstream: string
  readonly route: string
  readonly status: number
  readonly reason: FaultCode | undefined
  readonly attempts: number
  /** Those that the event or the line lists; none for one attempt that was relayed as it was. */
  readonly outcomes: readonly { readonly outcome: string | number }[]
  /** Id of its registered job. */
  readonly job: string | undefined
  readonly told: () => RequestView
}

export type BreakerFact = At &
  OfBreaker & {
    readonly kind: 'breaker'
    readonly from: BreakerState
    readonly to: BreakerState
    readonly cause: TripCause | undefined
    /** The failed call that opened it: a status or a reason. */
    readonly failure: string | undefined
    readonly openMs: number | undefined
  }

export type Fact =
  | RequestFact
  | BreakerFact
  /** `hasEnded`: the time for which an operator had set another one is over. */
  | (At & OfBreaker & { readonly kind: 'mode'; readonly mode: BreakerMode; readonly hasEnded: boolean })
  /** A retry was denied because the budget was spent. */
  | (At & { readonly kind: 'budget'; readonly upstream: string; readonly route: string })
  | (At & { readonly kind: 'store'; readonly isUp: boolean; readonly why: string })
  | (At & { readonly kind: 'set_aside'; readonly why: string })
  /** Whether there is room enough on the disk. */
  | (At & { readonly kind: 'disk'; readonly isEnough: boolean; readonly details: string })
  /** A request body could not be kept on the disk. */
  | (At & { readonly kind: 'unkept'; readonly upstream: string; readonly route: string; readonly why: string })
  | (At & {
      readonly kind: 'reload'
      readonly outcome: 'applied' | 'refused'
      readonly version: string
      readonly why: string
    })
  /** The process began: what it knew of breakers is gone. */
  | (At & { readonly kind: 'start'; readonly version: string })
  /** The process began to end. */
  | (At & { readonly kind: 'stop' })
  | (At & { readonly kind: 'stalled'; readonly ms: number })

/** Shortest pause of the process that is a sign of trouble. Shorter ones are counted by a metric. */
export const LAG_MS = 1_000
/** Time in ms for which the log holds back lines that repeat one: a sign that comes again within it is the same. */
export const REPEAT_MS = 10_000
