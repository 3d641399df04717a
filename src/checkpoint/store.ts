/** What a place for checkpoints and jobs can do. A resolved promise means that what was written outlives the process. */

import type { JobRecord } from '../job/book.ts'
import type { Append, Checkpoint, StoredCheckpoint } from './record.ts'

/** What must hold of the record for a write to happen; each undefined for no condition. */
export type Precondition = {
  /** If-Match: the record is there with this revision, or with any for `*`. */
  readonly ifMatch: number | '*' | undefined
  /** If-None-Match: the record is not there with this revision, or not at all for `*`. */
  readonly ifNoneMatch: number | '*' | undefined
  /** The writer's attempt at the job; an older one than has written before is refused. */
  readonly attempt: number | undefined
}

export type Written =
  | { readonly outcome: 'saved'; readonly record: StoredCheckpoint; readonly created: boolean }
  /** The precondition does not hold. */
  | { readonly outcome: 'mismatch' }
  | { readonly outcome: 'older_attempt'; readonly attempt: number }
  /** What is there is no checkpoint: some other program wrote it. */
  | { readonly outcome: 'unreadable' }
  /** The set would be larger than allowed. */
  | { readonly outcome: 'too_many'; readonly count: number }

/** A record in a list; its item ids are left out unless they were asked for. */
export type ListedCheckpoint = Omit<StoredCheckpoint, 'checkpoint'> & {
  readonly checkpoint: Omit<Checkpoint, 'item_ids'> & Partial<Pick<Checkpoint, 'item_ids'>>
}

type PageEnd = {
  /** The last job looked at, when there are more. */
  readonly next: string | undefined
  /** Records that were left out: they are no checkpoints, or of a kind that is no longer accepted. */
  readonly unreadable: number
}

export type Page = { readonly records: readonly ListedCheckpoint[] } & PageEnd

export type StageProgress = Pick<Checkpoint, 'stage' | 'completed_items' | 'total_items'>

/** All stages of a job, the newest last. */
export type JobProgress = { readonly job: string; readonly stages: readonly StageProgress[] }

export type ProgressPage = { readonly jobs: readonly JobProgress[] } & PageEnd

/** A page of a list ends once it has so much text, in bytes, however few records that are. */
export const MAX_PAGE_BYTES = 4 * 1024 * 1024

/** Something about a store that no caller is told of. */
export type StoreNews =
  /** A malformed file was given the name `path`, and a new one begun. */
  | { readonly kind: 'set_aside'; readonly path: string; readonly why: string }
  /** The wall clock jumped against the monotonic one; negative for back. */
  | { readonly kind: 'clock_jump'; readonly byMs: number }
  | { readonly kind: 'fault'; readonly error: unknown }

export type CheckpointStore = {
  /** @throws StoreDown, from every call, when the store cannot be reached or cannot write. */
  save(job: string, checkpoint: Checkpoint, precondition: Precondition): Promise<Written>
  append(job: string, append: Append, precondition: Precondition): Promise<Written>
  /** The newest stage's when none is named. */
  load(job: string, stage: string | undefined): Promise<StoredCheckpoint | undefined>
  /** @returns whether the precondition held. That nothing was there is no mismatch unless If-Match says so. */
  clear(job: string, precondition: Precondition): Promise<boolean>
  /** The stages that were written, the newest last. */
  stages(job: string): Promise<string[]>
  /** In order of job; `after` is `next` of the page before. @param withItems whether item ids are wanted; false when left out. */
  list(stage: string | undefined, limit: number, after: string | undefined, withItems?: boolean): Promise<Page>
  /** The same, of all stages, and without loading the records. */
  progress(limit: number, after: string | undefined): Promise<ProgressPage>
  saveJob(record: JobRecord): Promise<void>
  removeJob(id: string): Promise<void>
  /** All that have not expired. */
  jobs(): Promise<JobRecord[]>
  /**
   * Writes under a key of its own, reads and deletes it; a key that is left behind is gone within a minute.
   * @param value that no other sidecar uses. @returns whether it was read as it was written.
   */
  probe(value: string): Promise<boolean>
  close(): Promise<void>
}

export type StoreSettings = {
  /** How long a record lives after its last save, in ms. */
  readonly ttlMs: number
  /** Item ids in one checkpoint. */
  readonly maxItems: number
}

/** The store is away, full or locked; nothing was changed that was acknowledged. */
export class StoreDown extends Error {}

/** Whether a write may happen to what is there. */
export function holds(precondition: Precondition, revision: number | undefined): boolean {
  const { ifMatch, ifNoneMatch } = precondition
  if (ifMatch !== undefined && (revision === undefined || (ifMatch !== '*' && ifMatch !== revision))) return false
  if (ifNoneMatch === undefined || revision === undefined) return true
  return ifNoneMatch !== '*' && ifNoneMatch !== revision
}
