/** `checkpoints backup` and `restore`: a file of one JSON document a line, which any store can be restored from. */

import { createReadStream, renameSync, rmSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import type { Checkpoint } from '../../checkpoint/record.ts'
import { readCheckpoint, readJob } from '../../checkpoint/stored-text.ts'
import type { JobRecord } from '../../job/book.ts'
import type { Surroundings } from '../command.ts'
import { everyJob } from './every-job.ts'
import type { Records } from './access.ts'

/** All stages of a job, the newest last. */
type SavedJob = { readonly job: string; readonly attempt: number; readonly stages: readonly Checkpoint[] }

type Line =
  | { readonly checkpoint: SavedJob }
  | { readonly job: JobRecord }
  /** The last line: a file without it is not whole. */
  | { readonly end: { readonly checkpoints: number; readonly jobs: number } }

/** Writes beside the file first, so that a file of that name is always whole. @returns the exit code. */
export async function backUp(records: Records, file: string, { write }: Surroundings): Promise<number> {
  const part = `${file}.part`
  const output = await open(part, 'w', 0o600)
  const counts = { checkpoints: 0, jobs: 0 }
  let unreadable: number
  try {
    const put = async (line: Line) => {
      await output.write(`${JSON.stringify(line)}\n`)
    }
    unreadable = await everyJob(records, async (job, stages) => {
      counts.checkpoints += 1
      const saved = stages.map(({ checkpoint }) => checkpoint)
      await put({ checkpoint: { job, attempt: stages.at(-1)?.attempt ?? 0, stages: saved } })
    })
    for (const { record } of await records.jobs()) {
      counts.jobs += 1
      await put({ job: record })
    }
    await put({ end: counts })
    await output.sync()
  } catch (error) {
    rmSync(part, { force: true })
    throw error
  } finally {
    await output.close()
  }
  renameSync(part, file)
  write(`${counts.checkpoints} checkpoints and ${counts.jobs} jobs in ${file}${leftOut(unreadable)}\n`)
  return unreadable === 0 ? 0 : 1
}

/** Writes what is not there. @returns the exit code. */
export async function restore(records: Records, file: string, { write }: Surroundings): Promise<number> {
  const counts = { restored: 0, there: 0, jobs: 0 }
  const end = await everyLine(file, async (line) => {
    if ('checkpoint' in line) counts[await restoreJob(records, line.checkpoint)] += 1
    if (!('job' in line) || records.registerJob === undefined) return
    const { id, inputs, startedAt, deadlineAt } = line.job
    const totalMs = deadlineAt === undefined ? undefined : deadlineAt - startedAt
    const registered = await records.registerJob({ id, inputs, totalMs, startedAt })
    if (registered?.isNew === true) counts.jobs += 1
  })
  write(
    `${counts.restored} checkpoints restored, ${counts.there} there already, ${counts.jobs} jobs${leftOut(end.unreadable)}\n`,
  )
  if (records.registerJob === undefined) write('jobs are not restored through a sidecar: they would begin anew\n')
  return verdict(end, file, write)
}

/** A job that is there has gone on without the backup, and stays as it is. */
async function restoreJob(records: Records, { job, attempt, stages }: SavedJob): Promise<'restored' | 'there'> {
  if ((await records.load(job, undefined)) !== undefined) return 'there'
  for (const checkpoint of stages)
    await records.save(job, checkpoint, { ifMatch: undefined, ifNoneMatch: undefined, attempt })
  return 'restored'
}

/** @returns the exit code: 1 for a file that is not whole, or has lines that cannot be read. */
export async function verifyFile(file: string, { write }: Surroundings): Promise<number> {
  const counts = { checkpoints: 0, stages: 0, jobs: 0 }
  const end = await everyLine(file, async (line) => {
    if ('job' in line) counts.jobs += 1
    if (!('checkpoint' in line)) return
    counts.checkpoints += 1
    counts.stages += line.checkpoint.stages.length
  })
  write(
    `${counts.checkpoints} checkpoints with ${counts.stages} stages, ${counts.jobs} jobs; ${end.unreadable} cannot be read\n`,
  )
  return verdict(end, file, write)
}

type End = { readonly isWhole: boolean; readonly unreadable: number }

function verdict({ isWhole, unreadable }: End, file: string, write: Surroundings['write']): number {
  if (!isWhole) write(`${file} is not whole: its last line is missing\n`)
  return isWhole && unreadable === 0 ? 0 : 1
}

async function everyLine(file: string, visit: (line: Line) => Promise<void>): Promise<End> {
  let isWhole = false
  let unreadable = 0
  const handle = createReadStream(file, 'utf8')
  for await (const text of createInterface({ input: handle, crlfDelay: Infinity })) {
    const line = lineIn(text)
    if (line === undefined) unreadable += 1
    else if ('end' in line) isWhole = true
    else await visit(line)
  }
  return { isWhole, unreadable }
}

function lineIn(text: string): Line | undefined {
  const line = parsed(text)
  if (line?.end !== undefined) return line as Line
  if (line?.job !== undefined) {
    const job = readJob(JSON.stringify(line.job))
    return job && { job }
  }
  const { job, attempt, stages } = (line?.checkpoint ?? {}) as Partial<SavedJob>
  if (typeof job !== 'string' || typeof attempt !== 'number' || !Array.isArray(stages)) return undefined
  const read = stages.map((stage) => readCheckpoint(JSON.stringify(stage)))
  const sound = read.filter((stage) => stage !== undefined)
  return sound.length === read.length ? { checkpoint: { job, attempt, stages: sound } } : undefined
}

function parsed(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? { ...value } : undefined
  } catch {
    return undefined
  }
}

const leftOut = (unreadable: number) => (unreadable === 0 ? '' : `, ${unreadable} left out: they cannot be read`)
