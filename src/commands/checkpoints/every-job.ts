import type { StoredCheckpoint } from '../../checkpoint/record.ts'
import type { Records } from './access.ts'

const PAGE = 100

/**
 * Reads all stages of every job, the newest last.
 * @returns the number of jobs of which something cannot be read. They are left out.
 */
export async function everyJob(
  records: Pick<Records, 'progress' | 'load'>,
  visit: (job: string, stages: readonly StoredCheckpoint[]) => Promise<void>,
): Promise<number> {
  let unreadable = 0
  let after: string | undefined
  do {
    const page = await records.progress(PAGE, after)
    for (const { job, stages } of page.jobs) {
      const loaded = await Promise.all(stages.map(({ stage }) => records.load(job, stage)))
      const found = loaded.filter((record) => record !== undefined)
      if (found.length === stages.length) await visit(job, found)
      // One that was deleted meanwhile is no fault: nothing of it is left.
      else if ((await records.load(job, undefined)) !== undefined || found.length > 0) unreadable += 1
    }
    after = page.next
    unreadable += page.unreadable
  } while (after !== undefined)
  return unreadable
}
