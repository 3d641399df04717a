/** `checkpoints ls`, `get` and `rm`. */

import type { ListedCheckpoint } from '../../checkpoint/store.ts'
import { isoTime } from '../../clock.ts'
import type { Surroundings } from '../command.ts'
import type { Records } from './access.ts'

const PAGE = 100

/** Prints a line for each checkpoint, with tabs between its parts. */
export async function listRecords(
  records: Records,
  stage: string | undefined,
  write: Surroundings['write'],
): Promise<number> {
  write('JOB\tSTAGE\tDONE\tTOTAL\tREVISION\tEXPIRES\n')
  let unreadable = 0
  let after: string | undefined
  do {
    const page = await records.list(stage, PAGE, after)
    for (const record of page.records) write(`${rowOf(record)}\n`)
    after = page.next
    unreadable += page.unreadable
  } while (after !== undefined)
  if (unreadable > 0) write(`${unreadable} left out: they cannot be read\n`)
  return 0
}

function rowOf({ job, checkpoint, revision, expiresAt }: ListedCheckpoint): string {
  const { stage, completed_items: done, total_items: total } = checkpoint
  return [job, stage, done, total, revision, isoTime(expiresAt)].join('\t')
}

/** Prints a checkpoint as JSON. */
export async function getRecord(
  records: Records,
  job: string,
  stage: string | undefined,
  { write, complain }: Surroundings,
): Promise<number> {
  const record = await records.load(job, stage)
  if (record === undefined) {
    complain(`breakwater: there is no such checkpoint\n`)
    return 1
  }
  const { checkpoint, revision, attempt, expiresAt } = record
  write(
    `${JSON.stringify({ job_id: job, ...checkpoint, revision, attempt, expires_at: isoTime(expiresAt) }, undefined, 2)}\n`,
  )
  return 0
}

export async function removeRecords(
  records: Records,
  jobs: readonly string[],
  write: Surroundings['write'],
): Promise<number> {
  for (const job of jobs) {
    await records.clear(job, { ifMatch: undefined, ifNoneMatch: undefined, attempt: undefined })
    write(`${job} deleted\n`)
  }
  return 0
}
