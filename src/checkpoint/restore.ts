import type { Clock, Timer } from '../clock.ts'
import type { JobBook } from '../job/book.ts'
import { type CheckpointStore, StoreDown } from './store.ts'

/** Wait between two attempts while the store is down, in ms. */
const AGAIN_MS = 1_000

/**
 * Registers the stored jobs, now or as soon as the store is up. Jobs registered meanwhile stay unchanged.
 * @param fault called with errors that waiting does not resolve.
 */
export async function restoreJobs(
  store: CheckpointStore,
  book: JobBook,
  clock: Clock,
  fault: (error: unknown) => void,
): Promise<{ readonly close: () => Promise<void> }> {
  let timer: Timer | undefined
  let isClosed = false
  const restore = async () => {
    try {
      for (const record of await store.jobs()) if (book.find(record.id) === undefined) book.put(record)
    } catch (error) {
      if (!(error instanceof StoreDown)) fault(error)
      else if (!isClosed) timer = clock.after(AGAIN_MS, () => void restore())
    }
  }
  await restore()
  return {
    close: async () => {
      isClosed = true
      if (timer !== undefined) clock.cancel(timer)
    },
  }
}
