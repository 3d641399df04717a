import type { Client } from './client.ts'
import type { Clock } from './clock.ts'
import type { Answers, Upstream } from './upstream.ts'

/** One client on its way to one upstream, directly or through the sidecar. */
export type Run = {
  readonly clock: Clock
  readonly client: Client
  /** The first one, when there are replicas. */
  readonly upstream: Upstream
  /** Stops the sidecar for so many seconds; without a sidecar, the upstream. */
  pause(seconds: number): Promise<void>
}

/** When most faults begin, in seconds: between two calls, so that none is under way by chance. */
export const BEGIN = 2.11

/** One row of the table. */
export type Fault = {
  /** The upstream's trouble. */
  readonly name: string
  /** The client's calls. */
  readonly client: string
  /** Makes the upstream's answers. Called once a run and replica. */
  readonly answers: (clock: Clock, replica: number) => Answers
  /** Events beside the upstream's answers. */
  readonly happens?: (run: Run) => Promise<void>
  /** The client, to its last call. */
  readonly play: (run: Run) => Promise<unknown>
  readonly replicas?: number
  readonly tls?: true
  /** Shows itself only on sockets. The suite plays the others on a virtual clock, too. */
  readonly onWire?: true
  /** Needs the machine for itself. */
  readonly alone?: true
  /** Share of the calls that finish directly of which chance decides. None by default. */
  readonly chance?: number
}
