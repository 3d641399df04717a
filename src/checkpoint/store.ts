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

export type Page = { readonly records: readonly StoredCheckpoint[]; readonly next: string | undefined }

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
  /** In order of job; `after` is the last job of the page before. */
  list(stage: string | undefined, limit: number, after: string | undefined): Promise<Page>
  saveJob(record: JobRecord): Promise<void>
  removeJob(id: string): Promise<void>
  /** All that have not expired. */
  jobs(): Promise<JobRecord[]>
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
