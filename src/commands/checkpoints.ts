import { openStore } from '../checkpoint/open.ts'
import { placeName, type StorePlace } from '../checkpoint/place.ts'
import { type CheckpointStore, StoreDown } from '../checkpoint/store.ts'
import { systemClock } from '../clock.ts'

export type CopyOptions = {
  readonly from: StorePlace
  readonly to: StorePlace
  /** PEM file of a further authority; '' for none. */
  readonly caFile: string
  readonly servername: string
  /** How long what is copied lives, from now. */
  readonly ttlMs: number
}

const PAGE = 100
const ALWAYS = { ifMatch: undefined, ifNoneMatch: undefined, attempt: undefined }

/**
 * Copies checkpoints with all their stages, and jobs. What the target has already is left alone, so that a copy that was
 * broken off can be run again.
 * @returns the exit code: 0 when all are there, 1 when a store could not be opened or went away, or a record not be read.
 */
export async function copyCheckpoints(
  { from, to, caFile, servername, ttlMs }: CopyOptions,
  readText: (path: string) => string,
  write: (text: string) => void,
  complain: (text: string) => void,
): Promise<number> {
  const opened: CheckpointStore[] = []
  let isWhole = true
  const open = async (place: StorePlace) => {
    const settings = { ttlMs, maxItems: Number.MAX_SAFE_INTEGER }
    const ca = caFile === '' ? '' : readText(caFile)
    const store = await openStore(place, settings, { ca, servername }, systemClock, (news) => {
      isWhole = false
      if (news.kind === 'set_aside')
        complain(`breakwater: the file was malformed (${news.why}): it is ${news.path} now\n`)
      if (news.kind === 'fault') complain(`breakwater: ${String(news.error)}\n`)
    })
    opened.push(store)
    return store
  }
  try {
    const source = await open(from)
    const target = await open(to)
    write(`from ${placeName(from)} to ${placeName(to)}\n`)
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
    write(`${await copyJobs(source, target)} jobs copied\n`)
    return isWhole && counts.unreadable === 0 ? 0 : 1
  } catch (error) {
    complain(`breakwater: ${error instanceof Error ? error.message : String(error)}\n`)
    if (error instanceof StoreDown) complain('what was copied is there: run it again for the rest\n')
    return 1
  } finally {
    await Promise.all(opened.map((store) => store.close()))
  }
}

/**
 * Its newest stage last, so that it is the newest in the target, too; and once that is there, all are. A target that has
 * stages of its own has gone on without the source.
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
  const known = new Set((await target.jobs()).map(({ id }) => id))
  const missing = (await source.jobs()).filter(({ id }) => !known.has(id))
  for (const record of missing) await target.saveJob(record)
  return missing.length
}
