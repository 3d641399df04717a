/** A job that an upstream does, from its creation to its end, as its requests and responses show it. In memory only. */

import { JOB_ENDS, type JobEndOutcome } from '../events.ts'
import type { Inputs } from './timeouts.ts'

/** Where a job was created. */
export type JobOrigin = {
  readonly upstream: string
  /** `match` of the route. */
  readonly route: string
  /** As the upstream has it. */
  readonly id: string
  /** Time without a request after which it counts as abandoned, in ms. */
  readonly abandonedAfterMs: number
}

export type JobEnd = {
  readonly outcome: JobEndOutcome
  /** Wall-clock ms since the Unix epoch. */
  readonly at: number
}

type SeenStatus = {
  /** The upstream's word; its HTTP status where it says none. */
  readonly status: string
  /** Wall-clock ms at which it was first seen. */
  readonly at: number
}

/** A creation that may have begun a job anew. */
export type JobStart = {
  readonly inputs: Inputs
  readonly origin: JobOrigin
  /** Wall-clock ms since the Unix epoch, and the deadline; undefined without one. */
  readonly startedAt: number
  readonly deadlineAt: number | undefined
  /** Monotonic ms of the start. */
  readonly startedNow: number
}

export type JobLife = {
  /** In order; each differs from the one before. */
  readonly statuses: SeenStatus[]
  /** Requests of its clients whose responses report on it. */
  polls: number
  /** Calls of the upstream, that of the creation included. */
  attempts: number
  /** Body bytes from and to clients. */
  bytes: number
  /** Monotonic ms, and wall-clock ms, of the last request or report. */
  seenNow: number
  seenAt: number
  /** Monotonic ms of its end; undefined while it runs, and for one that ended before this process began. */
  endedNow: number | undefined
  /** Reports since the last other one that the upstream does not know it. */
  gone: number
  /** Whether the upstream accepted a request to cancel it. */
  isCancelAsked: boolean
  /** Whether its end was told. */
  isTold: boolean
  /** The newest creation that named it after it was completed. */
  again: JobStart | undefined
}

/** Largest number of statuses. The first and the newest are kept. */
const MAX_STATUSES = 20

export const freshLife = (now: number, wallNow: number, isTold: boolean): JobLife => ({
  statuses: [],
  polls: 0,
  attempts: 0,
  bytes: 0,
  seenNow: now,
  seenAt: wallNow,
  endedNow: undefined,
  gone: 0,
  isCancelAsked: false,
  isTold,
  again: undefined,
})

export function noteStatus({ statuses }: JobLife, status: string, at: number): void {
  if (statuses.at(-1)?.status === status) return
  statuses.push({ status, at })
  if (statuses.length > MAX_STATUSES) statuses.splice(MAX_STATUSES / 2, 1)
}

export const isEndOutcome = (value: unknown): value is JobEndOutcome => JOB_ENDS.some((one) => one === value)
