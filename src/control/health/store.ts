import type { Checkpoint } from '../../checkpoint/record.ts'
import type { CheckpointStore } from '../../checkpoint/store.ts'

const JOB = 'breakwater:health'
const ALWAYS = { ifMatch: undefined, ifNoneMatch: undefined, attempt: undefined }

/** Writes a checkpoint, reads it and deletes it. @param timestamp of the check, so that an old record is not taken for it. */
export async function lookAtStore(store: CheckpointStore, timestamp: string): Promise<string> {
  const checkpoint: Checkpoint = {
    stage: 'health',
    progress: 0,
    completed_items: 0,
    total_items: 0,
    item_ids: [],
    metadata: {},
    timestamp,
  }
  await store.save(JOB, checkpoint, ALWAYS)
  const read = await store.load(JOB, undefined)
  await store.clear(JOB, ALWAYS)
  if (read?.checkpoint.timestamp !== timestamp) throw new Error('what was written was not read back')
  return 'write, read and delete ok'
}
