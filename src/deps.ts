import type { Clock } from './clock.ts'
import type { Emit } from './events.ts'
import type { Peers } from './peers.ts'

/** Time, chance, ids and events. Given to every room from outside, so that tests control them. */
export type Deps = {
  readonly clock: Clock
  /** Uniform in [0, 1). */
  readonly random: () => number
  /** A fresh UUID (RFC 9562 version 4). */
  readonly newId: () => string
  readonly emit: Emit
  /** Whether the sidecar is about to end: no wait begins any more. */
  readonly isDraining: () => boolean
  /** The other sidecars of the fleet; undefined without one. */
  readonly peers?: Peers
  /**
   * Endpoint of the next call for a request, by its id, where a replay knows it: taken while its breaker admits calls. undefined
   * draws one. Absent outside of replays.
   */
  readonly knownEndpoint?: (requestId: string) => string | undefined
}
