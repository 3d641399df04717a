/** Reads stored text again. Another program, or an earlier version, may have written it. */

import type { JobRecord } from '../job/book.ts'
import { isEndOutcome } from '../job/life.ts'
import { jsonFault } from './json-fault.ts'
import { type Checkpoint, progressOf } from './record.ts'

/** Missing fields are accepted. @returns undefined for text that is not a checkpoint, or no longer accepted. */
export function readCheckpoint(text: string): Checkpoint | undefined {
  const fields = parsed(text)
  if (typeof fields?.stage !== 'string') return undefined
  const itemIds = Array.isArray(fields.item_ids) ? fields.item_ids.map(String) : []
  const completed = Number(fields.completed_items ?? itemIds.length)
  const total = Number(fields.total_items ?? 0)
  return {
    stage: fields.stage,
    progress: Number(fields.progress ?? progressOf(completed, total)),
    completed_items: completed,
    total_items: total,
    item_ids: itemIds,
    metadata: isObject(fields.metadata) ? fields.metadata : {},
    timestamp: String(fields.timestamp ?? ''),
  }
}

/** @returns undefined for text that is not a job. */
export function readJob(text: string): JobRecord | undefined {
  const fields = parsed(text)
  if (typeof fields?.id !== 'string' || typeof fields.startedAt !== 'number' || !isObject(fields.inputs))
    return undefined
  const inputs = Object.entries(fields.inputs).filter(
    (input): input is [string, string | number] => typeof input[1] === 'string' || typeof input[1] === 'number',
  )
  const deadlineAt = typeof fields.deadlineAt === 'number' ? fields.deadlineAt : undefined
  const { id, startedAt } = fields
  return { id, inputs: Object.fromEntries(inputs), startedAt, deadlineAt, ...originOf(fields), ...endOf(fields) }
}

/** None for a job that was registered by the control API. */
function originOf({ origin }: Record<string, unknown>): Pick<JobRecord, 'origin'> {
  if (!isObject(origin)) return {}
  const { upstream, route, id, abandonedAfterMs } = origin
  const isWhole = [upstream, route, id].every((one) => typeof one === 'string') && typeof abandonedAfterMs === 'number'
  return isWhole
    ? { origin: { upstream: String(upstream), route: String(route), id: String(id), abandonedAfterMs } }
    : {}
}

function endOf({ end }: Record<string, unknown>): Pick<JobRecord, 'end'> {
  if (!isObject(end) || typeof end.at !== 'number' || !isEndOutcome(end.outcome)) return {}
  return { end: { outcome: end.outcome, at: end.at } }
}

/** An id that is a whole segment of a path cannot be requested. */
export const canBeNamed = (job: string) => job !== '.' && job !== '..'

/** Largest date in ms since the Unix epoch (ECMA-262, section 21.4.1.1). */
const MAX_TIME_MS = 8.64e15

/** Counts and a time as the sidecar writes them. Another program may have written anything. */
export const areSound = (revision: number, attempt: number, expiresAt: number) =>
  Number.isSafeInteger(revision) && Number.isSafeInteger(attempt) && Math.abs(expiresAt) <= MAX_TIME_MS

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) && jsonFault(value) === undefined ? value : undefined
  } catch {
    return undefined
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
