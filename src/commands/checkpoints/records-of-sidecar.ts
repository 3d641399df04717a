/** The records of a running sidecar's store, by its control API. */

import { systemClock } from '../../clock.ts'
import type { Checkpoint, StoredCheckpoint } from '../../checkpoint/record.ts'
import { StoreDown, type ListedCheckpoint } from '../../checkpoint/store.ts'
import type { Records } from './access.ts'

/** Longest time in ms to wait for an answer. */
const PATIENCE_MS = 30_000
/** Largest page of jobs that the API gives. */
const MAX_JOBS = 1000

type View = Omit<Checkpoint, 'item_ids'> & {
  readonly job_id: string
  readonly item_ids?: readonly string[]
  readonly revision: number
  readonly expires_at: string
}

type JobView = {
  readonly job_id: string
  readonly inputs: Record<string, string | number>
  readonly started_at: string
  readonly deadline_at: string | null
}

/** @param token '' for none. */
export function recordsOfSidecar(url: string, token: string): Records {
  const base = url.endsWith('/') ? url : `${url}/` // what is below a path stays below it
  const call = async (method: string, path: string, body?: object, headers: Record<string, string> = {}) => {
    const late = new AbortController()
    const timer = systemClock.after(PATIENCE_MS, () =>
      late.abort(new Error(`no answer within ${PATIENCE_MS / 1000} s`)),
    )
    const answer = await fetch(new URL(`v1/${path}`, base), {
      method,
      headers: { ...headers, ...(token === '' ? {} : { authorization: `Bearer ${token}` }) },
      signal: late.signal,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    }).catch((error: Error) => {
      throw new StoreDown(`${url}: ${error.cause instanceof Error ? error.cause.message : error.message}`)
    })
    const text = await answer.text()
    systemClock.cancel(timer)
    const told = text === '' ? undefined : JSON.parse(text)
    const isExpected = answer.ok || answer.status === 404 || answer.status === 412
    if (!isExpected) throw new StoreDown(`${url}: ${answer.status} ${told?.detail ?? ''}`)
    return { status: answer.status, told, attempt: Number(answer.headers.get('x-breakwater-attempt') ?? 0) }
  }
  const query = (given: Record<string, string | number | undefined>) =>
    new URLSearchParams(
      Object.entries(given).flatMap(([name, value]) => (value === undefined ? [] : [[name, `${value}`]])),
    )

  return {
    load: async (job, stage) => {
      const { status, told, attempt } = await call('GET', `checkpoints/${encodeURIComponent(job)}?${query({ stage })}`)
      return status === 404 ? undefined : { ...whole(told), attempt }
    },
    list: async (stage, limit, after, withItems = false) => {
      const { told } = await call('GET', `checkpoints?${query({ stage, limit, cursor: after, items: `${withItems}` })}`)
      return {
        records: told.checkpoints.map(listed),
        next: told.next_cursor ?? undefined,
        unreadable: told.unreadable ?? 0,
      }
    },
    progress: async (limit, after) => {
      const { told } = await call('GET', `progress?${query({ limit, cursor: after })}`)
      const jobs = told.jobs.map(({ job_id, stages }: { job_id: string; stages: [] }) => ({ job: job_id, stages }))
      return { jobs, next: told.next_cursor ?? undefined, unreadable: told.unreadable ?? 0 }
    },
    save: async (job, checkpoint, { attempt, ifNoneMatch }) => {
      const { progress: _, timestamp: __, ...body } = checkpoint
      const headers = ifNoneMatch === undefined ? {} : { 'if-none-match': `${ifNoneMatch}` }
      const { status, told } = await call(
        'PUT',
        `checkpoints/${encodeURIComponent(job)}`,
        { ...body, attempt },
        headers,
      )
      return status === 412
        ? { outcome: 'mismatch' }
        : { outcome: 'saved', record: whole(told), created: status === 201 }
    },
    clear: async (job) => (await call('DELETE', `checkpoints/${encodeURIComponent(job)}`)).status === 204,
    jobs: async () => {
      const { told } = await call('GET', `jobs?${query({ limit: MAX_JOBS })}`)
      return told.jobs.map(storedJob)
    },
    registerJob: undefined,
    close: async () => {},
  }
}

/** The API tells the attempt with a single record only. */
function listed({ job_id: job, revision, expires_at, ...checkpoint }: View): ListedCheckpoint {
  return { job, checkpoint, revision, attempt: 0, expiresAt: Date.parse(expires_at) }
}

function whole(view: View): StoredCheckpoint {
  const { checkpoint, ...rest } = listed(view)
  return { ...rest, checkpoint: { ...checkpoint, item_ids: checkpoint.item_ids ?? [] } }
}

function storedJob({ job_id: id, inputs, started_at, deadline_at }: JobView) {
  const startedAt = Date.parse(started_at)
  const deadlineAt = deadline_at === null ? undefined : Date.parse(deadline_at)
  return { record: { id, inputs, startedAt, deadlineAt }, ageMs: 0 }
}
