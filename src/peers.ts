/**
 * What the data plane asks of the other sidecars of its fleet, and hears from them. Types only: src/fleet has them over Redis,
 * src/simulate in memory. Nothing here waits: every question is answered once by a callback, within ANSWER_MS, and with undefined
 * where no answer came in that time. All times are this process's monotonic ms.
 */

/** Longest time in ms for which the data plane waits for Redis. */
export const ANSWER_MS = 50

export type Peers = {
  /** Last known number of sidecars, this one included. */
  readonly pods: () => number
  /** Asks for turns under a rate that all sidecars share. */
  readonly turns: (ask: TurnsAsk, answered: (turns: Turns | undefined) => void) => void
  /** Tells how many permits of a limit are held here, and asks for more. */
  readonly permits: (ask: PermitsAsk, answered: (permits: Permits | undefined) => void) => void
  /**
   * Asks for the lease to probe an upstream, prolongs it, or ends it (`ms: 0`).
   * @param answered ms for which another sidecar holds it; 0 when this one does.
   */
  readonly probe: (ask: ProbeAsk, answered: (heldMs: number | undefined) => void) => void
  /** Tells the others. May be lost. */
  readonly tell: (news: PeerNews) => void
}

export type SharedRate = { readonly requests: number; readonly perMs: number; readonly burst: number }

/** A call that was made, under a turn of that id, or under one of its own without Redis. */
export type UsedTurn = { readonly id: string; readonly at: number }

export type TurnsAsk = {
  /** Name of the upstream. */
  readonly upstream: string
  readonly rate: SharedRate
  /** Largest number of turns that are of use within `aheadMs`. */
  readonly want: number
  /** How far ahead turns may be, and how long each may be used from its moment on. */
  readonly aheadMs: number
  readonly used: readonly UsedTurn[]
  /** Ids of turns that were not used. */
  readonly returned: readonly string[]
}

/** The right to make one call, from `at` until `untilAt`. */
export type Turn = { readonly id: string; readonly at: number; readonly untilAt: number }

export type Turns = {
  readonly turns: readonly Turn[]
  /** When the next turn will be, as far as is known now. */
  readonly nextAt: number
  /** Whether Redis has lost the window that it knew before. Own calls have to be reported again. */
  readonly isForgotten: boolean
}

export type PermitsAsk = {
  /** `concurrency.<upstream>` or `limits.<name>`. */
  readonly key: string
  /** Permits of the whole fleet. */
  readonly limit: number
  /** Permits that are held here and stay so. */
  readonly have: number
  readonly want: number
}

export type Permits = {
  readonly granted: number
  /** Whether other sidecars wait for one. */
  readonly isWanted: boolean
}

type ProbeAsk = { readonly key: string; readonly ms: number }

export type PeerNews =
  /** An upstream asked a caller to leave a path group alone. `ms: 0` ends that. */
  | {
      readonly kind: 'pause'
      readonly upstream: string
      readonly group: string
      /** Digest of the credentials that it is about; undefined without any. */
      readonly caller?: string | undefined
      readonly ms: number
    }
  /** A breaker opened by failures of that kind, for that time, or closed. */
  | {
      readonly kind: 'breaker'
      readonly upstream: string
      readonly route: string | undefined
      readonly endpoint: string | undefined
      readonly to: 'open' | 'closed'
      readonly failure: string
      readonly ms: number
    }
  /** Another sidecar waits for a permit of that limit, or one is free. */
  | { readonly kind: 'permits'; readonly key: string; readonly isFree: boolean }
