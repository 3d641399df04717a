/** How fast the demo may run on this machine: its services live in a time of their own, and late timers are late in it. */

import { monitorEventLoopDelay } from 'node:perf_hooks'
import { availableParallelism, loadavg } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'

/** Lengths of a second of the services, in seconds, fastest first. */
export const SCALES = [1 / 20, 1 / 10, 1 / 5] as const

/** Lateness of timers, in seconds of the services, from which a run says nothing about the sidecar. */
export const MAX_LATE_S = 0.5

/** Load for each core up to which a pace of SCALES will do. */
const MAX_LOADS = [0.75, 1.5] as const

/** Share of MAX_LATE_S that an idle machine may use up: the run itself makes it later. */
const IDLE_SHARE = 0.25
/** Interval in ms of the timer whose lateness is measured. */
const EVERY_MS = 10
const LOOK_MS = 1_000

/** Measures how late the timers of this process are. @returns a function that ends it: the 99th percentile in ms. */
export function measureLateness(): () => number {
  const delay = monitorEventLoopDelay({ resolution: EVERY_MS })
  delay.enable()
  return () => {
    delay.disable()
    return Math.max(0, delay.percentile(99) / 1e6 - EVERY_MS)
  }
}

/** Lateness of this machine's timers before anything runs, in ms. */
export async function idleLateness(): Promise<number> {
  const ended = measureLateness()
  await pause(LOOK_MS)
  return ended()
}

/**
 * The fastest pace at which lateness and load leave room for a judgement; the slowest where none does.
 * @param lateMs of an idle process. @param load runnable processes for each core: an idle process is woken in time all the same.
 */
export function scaleFor(lateMs: number, load: number): number {
  const [slowest = 1] = SCALES.toReversed()
  const isRoomy = (scale: number, i: number) =>
    lateMs / 1000 / scale <= IDLE_SHARE * MAX_LATE_S && load <= (MAX_LOADS[i] ?? Number.POSITIVE_INFINITY)
  return SCALES.find(isRoomy) ?? slowest
}

/** Runnable processes for each core, over the last minute. */
export const loadOfCores = (): number => (loadavg()[0] ?? 0) / availableParallelism()
