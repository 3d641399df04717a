/** What a store can do. A resolved promise means that the write outlives the process. */

import type { JobRecord } from '../job/book.ts'
import type { Inputs } from '../job/timeouts.ts'
import type { Append, Checkpoint, StoredCheckpoint } from './record.ts'

/** Preconditions of a write; undefined for none. */
export type Precondition = {
  /** If-Match: the record exists with this revision, or with any for `*`. */
  readonly ifMatch: number | '*' | undefined
  /** If-None-Match: the record does not exist with this revision, or not at all for `*`. */
  readonly ifNoneMatch: number | '*' | undefined
  /** Attempt of the writer at the job. An older one than the last writer's is refused. */
  readonly attempt: number | undefined
}

export type Written =
  | { readonly outcome: 'saved'; readonly record: StoredCheckpoint; readonly created: boolean }
  /** The precondition does not hold. */
  | { readonly outcome: 'mismatch' }
  | { readonly outcome: 'older_attempt'; readonly attempt: number }
  /** The stored value is not a checkpoint: another program wrote it. */
  | { readonly outcome: 'unreadable' }
  /** The set would be larger than allowed. */
  | { readonly outcome: 'too_many'; readonly count: number }

/** A record of a list. Its item ids are left out unless they were asked for. */
export type ListedCheckpoint = Omit<StoredCheckpoint, 'checkpoint'> & {
  readonly checkpoint: Omit<Checkpoint, 'item_ids'> & Partial<Pick<Checkpoint, 'item_ids'>>
}

type PageEnd = {
  /** The last job of the page, when there are more. */
  readonly next: string | undefined
  /** Records that were left out because they are not checkpoints, or no longer accepted. */
  readonly unreadable: number
}

export type Page = { readonly records: readonly ListedCheckpoint[] } & PageEnd

export type StageProgress = Pick<Checkpoint, 'stage' | 'completed_items' | 'total_items'>

/** All stages of a job, newest last. */
export type JobProgress = { readonly job: string; readonly stages: readonly StageProgress[] }

export type ProgressPage = { readonly jobs: readonly JobProgress[] } & PageEnd

/** Size in bytes at which a page ends, however few its records. */
export const MAX_PAGE_BYTES = 4 * 1024 * 1024

/** News of a store that concern no caller. */
export type StoreNews =
  /** A malformed file was renamed to `path`, and a new one begun. */
  | { readonly kind: 'set_aside'; readonly path: string; readonly why: string }
  /** The wall clock jumped against the monotonic one; negative for back. */
  | { readonly kind: 'clock_jump'; readonly byMs: number }
  | { readonly kind: 'fault'; readonly error: unknown }
  /** Why records may vanish: the store evicts them when its memory is full. undefined when it does not, or no longer. */
  | { readonly kind: 'evicts'; readonly why: string | undefined }

/** A job to register. */
export type NewJob = {
  readonly id: string
  readonly inputs: Inputs
  /** Time in ms from its start to its deadline; undefined without one. */
  readonly totalMs: number | undefined
  /** Wall-clock ms of a job that was registered elsewhere before; undefined for now. */
  readonly startedAt?: number
} & Pick<JobRecord, 'origin' | 'end'>

/** A registered job. Its age in ms is measured by the clock of its store, since those of several pods differ. */
export type StoredJob = { readonly record: JobRecord; readonly ageMs: number }

export type Registered = StoredJob & { readonly isNew: boolean }

export type CheckpointStore = {
  /** Whether other sidecars may write to it. */
  readonly isShared: boolean
  /** Every call @throws StoreDown when the store cannot be reached or written. */
  save(job: string, checkpoint: Checkpoint, precondition: Precondition): Promise<Written>
  append(job: string, append: Append, precondition: Precondition): Promise<Written>
  /** The record of the newest stage when no stage is named. */
  load(job: string, stage: string | undefined): Promise<StoredCheckpoint | undefined>
  /** @returns whether the precondition held. Without a record only If-Match can fail. */
  clear(job: string, precondition: Precondition): Promise<boolean>
  /** Stages that were written, newest last. */
  stages(job: string): Promise<string[]>
  /**
   * A page in order of job. `after`: `next` of the page before. @param withItems whether to include item ids; false by default.
   */
  list(stage: string | undefined, limit: number, after: string | undefined, withItems?: boolean): Promise<Page>
  /** The same page with all stages, without loading the records. */
  progress(limit: number, after: string | undefined): Promise<ProgressPage>
  /**
   * Registers a job once: one that is registered stays as it is. @param isChange gives a registered job another shape, with the
   * deadline that follows from it and its start; undefined when there is no such job.
   */
  registerJob(job: NewJob, isChange?: boolean): Promise<Registered | undefined>
  /**
   * Saves a job that requests created, as it is now. One that is stored and has not ended keeps its start and deadline.
   * @param ageMs ms since its start. @returns the job as it is stored.
   */
  saveJob(record: JobRecord, ageMs: number): Promise<StoredJob>
  findJob(id: string): Promise<StoredJob | undefined>
  removeJob(id: string): Promise<void>
  /** All jobs that have not expired. */
  jobs(): Promise<StoredJob[]>
  /** Keeps rows, in place of those of the same kind, beginning and name. */
  saveHistory(rows: readonly HistoryRow[]): Promise<void>
  /** Rows of this sidecar that begin in [from, to), oldest first. */
  history(kind: HistoryKind, from: number, to: number): Promise<HistoryRow[]>
  /**
   * Writes, reads and deletes a key of its own. A key that is left behind expires within a minute.
   * @param value that no other sidecar uses. @returns whether the read value was the written one.
   */
  probe(value: string): Promise<boolean>
  /** Why acknowledged records may vanish, as far as known; undefined when they do not. */
  risk(): string | undefined
  close(): Promise<void>
}

export const HISTORY_KINDS = ['minute', 'hour', 'incident'] as const
export type HistoryKind = (typeof HISTORY_KINDS)[number]

/** A piece of the sidecar's history. Its bytes mean nothing to the store. */
export type HistoryRow = {
  readonly kind: HistoryKind
  /** Its beginning, in wall-clock ms since the Unix epoch. */
  readonly at: number
  /** Tells rows of the same kind and beginning apart. */
  readonly name: string
  readonly bytes: Uint8Array
}

const DAY_MS = 86_400_000
/** How long rows are kept, and how many bytes of a kind: the oldest go first. */
export const HISTORY_KEPT: Readonly<Record<HistoryKind, { readonly ms: number; readonly bytes: number }>> = {
  minute: { ms: 7 * DAY_MS, bytes: 6 * 2 ** 20 },
  hour: { ms: 90 * DAY_MS, bytes: 2 * 2 ** 20 },
  incident: { ms: 90 * DAY_MS, bytes: 2 * 2 ** 20 },
}

export type StoreSettings = {
  /** Time for which a record lives after its last save, in ms. */
  readonly ttlMs: number
  /** Largest number of item ids in one checkpoint. */
  readonly maxItems: number
  /** Name of this sidecar among those that share a Redis, the same after a restart. None for who keeps no history. */
  readonly instance?: string
}

/** The store is away, full or locked. Nothing acknowledged was changed. */
export class StoreDown extends Error {}

/** Whether a precondition holds for the existing record. */
export function holds(precondition: Precondition, revision: number | undefined): boolean {
  const { ifMatch, ifNoneMatch } = precondition
  if (ifMatch !== undefined && (revision === undefined || (ifMatch !== '*' && ifMatch !== revision))) return false
  if (ifNoneMatch === undefined || revision === undefined) return true
  return ifNoneMatch !== '*' && ifNoneMatch !== revision
}
