import { readFileSync } from 'node:fs'
import { openStore } from '../checkpoint/open.ts'
import { placeName, STORE_FORMS, type StorePlace, storePlace } from '../checkpoint/place.ts'
import { type CheckpointStore, StoreDown } from '../checkpoint/store.ts'
import { systemClock } from '../clock.ts'
import { durationMs } from '../config/kinds/units.ts'
import { command, type Surroundings, variable } from './command.ts'
import { UsageError } from './usage-error.ts'

type CopyOptions = {
  readonly from: StorePlace
  readonly to: StorePlace
  /** PEM file of a further certificate authority; '' for none. */
  readonly caFile: string
  readonly servername: string
  /** Time for which copied records live, in ms from now. */
  readonly ttlMs: number
}

export const checkpointsCommand = command({
  name: 'checkpoints',
  usage: `  breakwater checkpoints copy --from STORE --to STORE [--ca FILE] [--servername NAME] [--ttl 24h]
                                   copy checkpoints and jobs that the target does not have.
                                   STORE: file:<folder>, redis://host:6379/0, rediss://…, redis+sentinel://…/master/0,
                                   redis+cluster://…; '\${NAME}' is read from the environment
`,
  options: {
    from: { type: 'string' },
    to: { type: 'string' },
    ca: { type: 'string', default: '' },
    servername: { type: 'string', default: '' },
    ttl: { type: 'string', default: '24h' },
  },
  allowPositionals: true,
  run: (values, [verb, ...others], surroundings) => {
    if (verb !== 'copy' || others.length > 0) throw new UsageError('the only subcommand of checkpoints is copy')
    const from = placeAt('--from', values.from, surroundings)
    const to = placeAt('--to', values.to, surroundings)
    const ttlMs = durationMs(values.ttl)
    if (ttlMs === undefined) throw new UsageError('--ttl: expected a duration such as 24h')
    return copyCheckpoints({ from, to, caFile: values.ca, servername: values.servername, ttlMs }, surroundings)
  },
})

/**
 * Reads `${NAME}` from the environment: every user of the machine can read a command line. A wrong place is not printed, since
 * it may hold a password.
 */
function placeAt(option: string, text: string | undefined, surroundings: Surroundings): StorePlace {
  const [, name] = /^\$\{(\w+)\}$/.exec(text ?? '') ?? []
  const place = storePlace(name === undefined ? (text ?? '') : variable(option, name, surroundings))
  if (place === undefined) throw new UsageError(`${option}: expected ${STORE_FORMS}`)
  return place
}

const PAGE = 100
const ALWAYS = { ifMatch: undefined, ifNoneMatch: undefined, attempt: undefined }

/**
 * Copies checkpoints with all their stages, and jobs. Leaves alone what the target already has, so that a broken copy can be
 * run again.
 * @returns the exit code: 0 when everything was copied, 1 when a store failed or a record could not be read.
 */
async function copyCheckpoints(
  { from, to, caFile, servername, ttlMs }: CopyOptions,
  { write, complain }: Surroundings,
): Promise<number> {
  const opened: CheckpointStore[] = []
  let isWhole = true
  const open = async (place: StorePlace) => {
    const settings = { ttlMs, maxItems: Number.MAX_SAFE_INTEGER }
    const ca = caFile === '' ? '' : readFileSync(caFile, 'utf8')
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
