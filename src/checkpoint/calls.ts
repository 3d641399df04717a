/** What crosses the thread boundary of the embedded store: calls by name, and what came of them. */

import type { JobRecord } from '../job/book.ts'
import type { CheckpointDatabase } from './database.ts'
import type { Append, Checkpoint } from './record.ts'
import type { Precondition } from './store.ts'

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
    }
  | { readonly kind: 'saveJob'; readonly record: JobRecord }
  | { readonly kind: 'removeJob'; readonly id: string }
  | { readonly kind: 'jobs' }
  | { readonly kind: 'sweep' }

/** Calls that become durable together. @param now wall-clock ms, the main thread's. */
export type Batch = { readonly calls: readonly StoreCall[]; readonly now: number }

export type BatchResult = { readonly results: readonly unknown[] } | { readonly failure: string }

/** Records taken out by one sweep at the most, so that it holds nobody up. */
export const SWEPT_AT_ONCE = 200

/** Runs one call inside the transaction of its batch. */
export function execute(database: CheckpointDatabase, call: StoreCall, now: number): unknown {
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
      return database.list(call.stage, call.limit, call.after, now)
    case 'saveJob':
      return database.saveJob(call.record, now)
    case 'removeJob':
      return database.removeJob(call.id)
    case 'jobs':
      return database.jobs(now)
    case 'sweep':
      return database.sweep(now, SWEPT_AT_ONCE)
    default:
      return call satisfies never
  }
}
