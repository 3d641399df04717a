/** `checkpoints verify`: reads every record whole. */

import type { Surroundings } from '../command.ts'
import { everyJob } from './every-job.ts'
import type { Records } from './access.ts'

/** @returns the exit code: 1 when something cannot be read. */
export async function verifyRecords(records: Records, write: Surroundings['write']): Promise<number> {
  const counts = { checkpoints: 0, stages: 0 }
  const unreadable = await everyJob(records, async (_job, stages) => {
    counts.checkpoints += 1
    counts.stages += stages.length
  })
  const jobs = (await records.jobs()).length
  write(`${counts.checkpoints} checkpoints with ${counts.stages} stages, ${jobs} jobs; ${unreadable} cannot be read\n`)
  return unreadable === 0 ? 0 : 1
}
