/** Steps of a history: what the seconds of a step add up to, for each upstream. */

import { Histogram } from '../live/histogram.ts'
import type { UpstreamSample } from '../../dashboard/shapes.ts'

/** Sums of one upstream over a step. Plain data, so that it can be kept. */
export type Bin = {
  requests: number
  failures: number
  refusals: number
  retries: number
  saved: number
  openMs: number
  /** Most requests under way at the end of a second. */
  inFlight: number
  readonly durations: Histogram
}

/** Growth of the buckets of what is kept: a percentile may be off by a tenth. Two buckets of a second make one. */
const KEPT_GROWTH = 1.21

export const freshBin = (): Bin => ({
  requests: 0,
  failures: 0,
  refusals: 0,
  retries: 0,
  saved: 0,
  openMs: 0,
  inFlight: 0,
  durations: new Histogram(KEPT_GROWTH),
})

/** Adds a second. */
export function addSecond(bin: Bin, sample: UpstreamSample, durations: Histogram): void {
  bin.requests += sample.requests
  bin.failures += Math.max(0, sample.failed - sample.refused)
  bin.refusals += sample.refused
  bin.retries += sample.retries
  bin.saved += sample.saved
  bin.openMs += sample.open_ms
  bin.inFlight = Math.max(bin.inFlight, sample.in_flight)
  if (durations.count > 0) bin.durations.addFiner(durations)
}

/** Whether nothing happened. */
export const isIdle = ({ requests, retries, openMs, inFlight }: Bin) =>
  requests === 0 && retries === 0 && openMs === 0 && inFlight === 0
