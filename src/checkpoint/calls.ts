/** Messages between the main thread and the thread of the embedded store. */

import type { JobRecord } from '../job/book.ts'
import type { CheckpointDatabase } from './file/database.ts'
import type { Append, Checkpoint } from './record.ts'
import { isDiskFault } from './file/sqlite-faults.ts'
import type { HistoryKind, HistoryRow, NewJob, Precondition } from './store.ts'

export type StoreCall =
  | {
      readonly kind: 'save'
      readonly job: string
      readonly checkpoint: Checkpoint
      readonly precondition: Precondition
    }
  | { readonly kind: 'append'; readonly job: string; readonly append: Append; readonly precondition: Precondition }
  | { readonly kind: 'load'; readonly job: string; readonly stage: string | undefined }
  | { readonly kind: 'stages'; readonly job: string }
  | { readonly kind: 'clear'; readonly job: string; readonly precondition: Precondition }
  | {
      readonly kind: 'list'
      readonly stage: string | undefined
      readonly limit: number
      readonly after: string | undefined
      readonly withItems: boolean
    }
  | { readonly kind: 'progress'; readonly limit: number; readonly after: string | undefined }
  | { readonly kind: 'registerJob'; readonly job: NewJob; readonly isChange: boolean }
  | { readonly kind: 'saveJob'; readonly record: JobRecord; readonly ageMs: number }
  | { readonly kind: 'findJob'; readonly id: string }
  | { readonly kind: 'removeJob'; readonly id: string }
  | { readonly kind: 'jobs' }
  | { readonly kind: 'saveHistory'; readonly rows: readonly HistoryRow[] }
  | { readonly kind: 'history'; readonly of: HistoryKind; readonly from: number; readonly to: number }
  | { readonly kind: 'probe'; readonly value: string }
  | { readonly kind: 'sweep' }
  | { readonly kind: 'shift'; readonly byMs: number }

/** Message to the thread. `again` asks for the outcomes of the last batch, one per message. */
export type ToThread =
  /** Calls that become durable together. `now`: ms of the clock by which records expire. */
  | { readonly kind: 'batch'; readonly calls: readonly StoreCall[]; readonly now: number }
  | { readonly kind: 'again' | 'close' }

export type FromThread =
  | { readonly kind: 'open' }
  /** The file was malformed and was renamed to this path; a new one was begun. */
  | { readonly kind: 'set_aside'; readonly path: string; readonly why: string }
  /** The message of the batch could not be read. Nothing of it was done. */
  | { readonly kind: 'unread' }
  /** Outcomes of the next calls of the batch, in its order. */
  | { readonly kind: 'outcomes'; readonly outcomes: readonly Outcome[] }
  /** The file is malformed: nothing of the batch was done. */
  | { readonly kind: 'failed'; readonly why: string }

export type Outcome =
  | { readonly result: unknown }
  /** The call itself is at fault. The other calls of the batch are done. */
  | { readonly fault: string }
  /** The disk failed: the call was not done. */
  | { readonly down: string }

/** Calls that free space. */
export const freesSpace = ({ kind }: StoreCall) => kind === 'clear' || kind === 'removeJob' || kind === 'sweep'

/** Largest number of records removed by one sweep, so that it delays no call for long. */
export const SWEPT_AT_ONCE = 200

/** Runs a batch as one transaction. A call at fault is undone alone. @throws when the disk fails. */
export const execute = (database: CheckpointDatabase, calls: readonly StoreCall[], now: number): Outcome[] =>
  database.together(() =>
    calls.map((call) => {
      try {
        return { result: database.alone(() => executeOne(database, call, now)) }
      } catch (error) {
        if (isDiskFault(error) || !database.isInTransaction) throw error
        return { fault: error instanceof Error ? error.message : String(error) }
      }
    }),
  )

function executeOne(database: CheckpointDatabase, call: StoreCall, now: number): unknown {
  switch (call.kind) {
    case 'save':
      return database.save(call.job, call.checkpoint, call.precondition, now)
    case 'append':
      return database.append(call.job, call.append, call.precondition, now)
    case 'load':
      return database.load(call.job, call.stage, now)
    case 'stages':
      return database.stages(call.job, now)
    case 'clear':
      return database.clear(call.job, call.precondition, now)
    case 'list':
      return database.list(call.stage, call.limit, call.after, call.withItems, now)
    case 'progress':
      return database.progress(call.limit, call.after, now)
    case 'registerJob':
      return database.registerJob(call.job, call.isChange, now)
    case 'saveJob':
      return database.saveJob(call.record, call.ageMs, now)
    case 'findJob':
      return database.findJob(call.id, now)
    case 'removeJob':
      return database.removeJob(call.id)
    case 'jobs':
      return database.jobs(now)
    case 'saveHistory':
      return database.saveHistory(call.rows, now)
    case 'history':
      return database.history(call.of, call.from, call.to)
    case 'probe':
      return database.probe(call.value, now)
    case 'sweep':
      return database.sweep(now, SWEPT_AT_ONCE)
    case 'shift':
      return database.shift(call.byMs)
    default:
      return call satisfies never
  }
}
