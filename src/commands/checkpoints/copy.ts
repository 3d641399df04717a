/** `checkpoints copy`: from one store to another, stage by stage. */

import { placeName, type StorePlace } from '../../checkpoint/place.ts'
import type { CheckpointStore } from '../../checkpoint/store.ts'
import type { Opening } from './access.ts'
import { openExisting, openPlace } from './records-of.ts'

const PAGE = 100
const ALWAYS = { ifMatch: undefined, ifNoneMatch: undefined, attempt: undefined }

/**
 * Copies checkpoints with all their stages, and jobs. Leaves alone what the target already has, so that a broken copy can be
 * run again.
 * @returns the exit code: 0 when everything was copied, 1 when a record could not be read.
 */
export async function copyCheckpoints(from: StorePlace, to: StorePlace, opening: Opening): Promise<number> {
  const { write } = opening
  const source = await openExisting(from, opening)
  try {
    const target = await openPlace(to, opening)
    try {
      write(`from ${placeName(from)} to ${placeName(to)}\n`)
      const unreadable = await copyRecords(source, target, write)
      write(`${await copyJobs(source, target)} jobs copied\n`)
      return unreadable === 0 ? 0 : 1
    } finally {
      await target.close()
    }
  } finally {
    await source.close()
  }
}

async function copyRecords(source: CheckpointStore, target: CheckpointStore, write: (text: string) => void) {
  const counts = { copied: 0, there: 0, unreadable: 0 }
  let after: string | undefined
  do {
    const page = await source.list(undefined, PAGE, after)
    for (const { job } of page.records) counts[await copyRecord(job, source, target)] += 1
    after = page.next
    counts.unreadable += page.unreadable
    const leftOut = counts.unreadable === 0 ? '' : `, ${counts.unreadable} left out: they cannot be read`
    write(`${counts.copied} checkpoints copied, ${counts.there} there already${leftOut}\n`)
  } while (after !== undefined)
  return counts.unreadable
}

/**
 * Copies the newest stage last, so that it is the newest in the target, too, and its presence means that all are there. A
 * target with stages of its own has gone on without the source, and is left alone.
 */
async function copyRecord(job: string, source: CheckpointStore, target: CheckpointStore): Promise<'copied' | 'there'> {
  const there = await target.stages(job)
  const stages = await source.stages(job)
  if (there.includes(stages.at(-1) ?? '') || there.some((stage) => !stages.includes(stage))) return 'there'
  for (const stage of stages) {
    const record = await source.load(job, stage)
    if (record !== undefined) await target.save(job, record.checkpoint, { ...ALWAYS, attempt: record.attempt })
  }
  return 'copied'
}

async function copyJobs(source: CheckpointStore, target: CheckpointStore): Promise<number> {
  let copied = 0
  for (const { record } of await source.jobs()) {
    const { id, inputs, startedAt, deadlineAt } = record
    const totalMs = deadlineAt === undefined ? undefined : deadlineAt - startedAt
    const registered = await target.registerJob({ id, inputs, totalMs, startedAt })
    if (registered?.isNew === true) copied += 1
  }
  return copied
}
