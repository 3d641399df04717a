import type { StoredCheckpoint } from '../../checkpoint/record.ts'
import type { Clock } from '../../clock.ts'
import type { CheckpointNews } from '../../dashboard/shapes.ts'
import type { BreakerOrder, BreakerSnapshot, Event, LimitSnapshot, UpstreamSnapshot } from '../../events.ts'
import { History } from '../history/history.ts'
import { Failures, isFailure } from './failures.ts'
import { Live } from './live.ts'
import { Recent } from './recent.ts'
import { Requests } from './requests.ts'

/** What the page may ask of the data plane and tell it. */
export type Plane = {
  readonly upstreams: () => readonly UpstreamSnapshot[]
  /** Limits that upstreams share. */
  readonly limits: () => readonly LimitSnapshot[]
  /** @returns the number of matching breakers. */
  readonly setMode: (
    upstream: string,
    meant: (breaker: Pick<BreakerSnapshot, 'route' | 'endpoint'>) => boolean,
    order: BreakerOrder,
  ) => number
  readonly clock: Clock
}

/** Everything that the page shows of the data plane. */
export class Overview {
  readonly plane: Plane
  readonly recent: Recent
  readonly failures = new Failures()
  readonly requests = new Requests()
  readonly live: Live
  readonly history: History

  constructor(plane: Plane) {
    this.plane = plane
    this.history = new History(() => plane.upstreams().map(({ name }) => name), plane.clock)
    this.recent = new Recent(plane.upstreams, plane.clock, (...second) => this.history.second(...second))
    this.live = new Live(this.recent, plane.clock)
  }

  record(event: Event): void {
    this.recent.record(event)
    this.history.record(event)
    if (event.kind !== 'request') return this.live.record(event)
    const wallAt = this.plane.clock.wallNow()
    this.requests.record(event, wallAt)
    if (isFailure(event)) this.failures.record(event, wallAt)
  }

  close(): void {
    this.recent.close()
  }

  /** Takes a checkpoint that was saved. */
  saved({ job, checkpoint }: StoredCheckpoint): void {
    const { stage, completed_items, total_items } = checkpoint
    const news: Omit<CheckpointNews, 'at'> = { job, stage, completed_items, total_items }
    this.live.tell('checkpoint', news)
  }
}
