/** Makes pages of a list row by row, so that no more than a page is in memory. */

import type { StageProgress } from './store.ts'
import { type JobProgress, type ListedCheckpoint, MAX_PAGE_BYTES, type Page, type ProgressPage } from './store.ts'
import { areSound, canBeNamed, readCheckpoint } from './stored-text.ts'

type Row = Readonly<Record<string, unknown>>

/** @param rows in order of job: columns of the record, and its text as `checkpoint`. */
export function listed(rows: Iterable<Row>, limit: number, withItems: boolean): Page {
  const records: ListedCheckpoint[] = []
  let [looked, bytes, unreadable] = [0, 0, 0]
  let last: string | undefined
  for (const row of rows) {
    if (looked === limit || bytes >= MAX_PAGE_BYTES) return { records, next: last, unreadable }
    const job = String(row.job)
    const record = recordOf(job, row, withItems)
    if (record === undefined) unreadable += 1
    else records.push(record)
    bytes += withItems ? Buffer.byteLength(String(row.checkpoint)) : bytesOf(record)
    looked += 1
    last = job
  }
  return { records, next: undefined, unreadable }
}

const bytesOf = (record: ListedCheckpoint | undefined) =>
  record === undefined ? 0 : Buffer.byteLength(JSON.stringify(record.checkpoint))

function recordOf(job: string, row: Row, withItems: boolean): ListedCheckpoint | undefined {
  const whole = readCheckpoint(String(row.checkpoint))
  const [revision, attempt, expiresAt] = [Number(row.revision), Number(row.attempt), Number(row.expires_at)]
  if (whole === undefined || !canBeNamed(job) || !areSound(revision, attempt, expiresAt)) return undefined
  const { item_ids, ...rest } = whole
  return { job, checkpoint: withItems ? { ...rest, item_ids } : rest, revision, attempt, expiresAt }
}

/** Approximate size of a stage in an answer, in bytes. */
const STAGE_BYTES = 128

/** @param rows in order of job with the newest stage last, each with the beginning of the stage's text. */
export function progressed(rows: Iterable<Row>, limit: number): ProgressPage {
  const jobs: JobProgress[] = []
  let [looked, bytes, unreadable] = [0, 0, 0]
  let last: string | undefined
  let stages: StageProgress[] = []
  const conclude = () => {
    if (last === undefined) return
    if (stages.length > 0 && canBeNamed(last)) jobs.push({ job: last, stages })
    else unreadable += 1
    looked += 1
    bytes += stages.length * STAGE_BYTES
    stages = []
  }
  for (const row of rows) {
    const job = String(row.job)
    if (job !== last) {
      conclude()
      if (looked === limit || bytes >= MAX_PAGE_BYTES) return { jobs, next: last, unreadable }
      last = job
    }
    const stage = progressIn(String(row.beginning))
    if (stage !== undefined) stages.push(stage)
  }
  conclude()
  return { jobs, next: undefined, unreadable }
}

/** Reads the counts from the beginning of text that the sidecar wrote (`inOrder`), without its items. */
function progressIn(beginning: string): StageProgress | undefined {
  const [, stage, completed, total] =
    /^\{"stage":"(\w+)","progress":[^,]+,"completed_items":(\d+),"total_items":(\d+),/.exec(beginning) ?? []
  return stage === undefined ? undefined : { stage, completed_items: Number(completed), total_items: Number(total) }
}
