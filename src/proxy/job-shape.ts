import type { JobBook, JobRecord } from '../job/book.ts'
import { jobKey } from '../job/id.ts'
import { type InputRule, type Read, readInputs } from '../job/inputs.ts'
import { lastField, type RawHeaders } from '../net/fields.ts'

/** How requests identify their job. */
export type JobShape = {
  /** Lower case. */
  readonly idHeader: string
  readonly inputs: readonly InputRule[]
  readonly book: JobBook
}

/** The parts of a request that are read for its job, without its body. */
export type JobRequest = {
  readonly headers: RawHeaders
  readonly target: string
}

/** undefined when the request names no job, or one that is not registered. */
export function jobOf(headers: RawHeaders, { idHeader, book }: JobShape): JobRecord | undefined {
  const id = lastField(headers, idHeader)
  return id === undefined ? undefined : book.meet(id)
}

/**
 * Monotonic ms of the nearest deadline among those of the request's jobs: of the one that its header names, and of the upstream's
 * job that it belongs to. undefined without any.
 * @param job id of the upstream's job; undefined when the request names none.
 */
export function deadlineOf(
  headers: RawHeaders,
  upstream: string,
  job: string | undefined,
  shape: JobShape,
): number | undefined {
  const { book } = shape
  const named = jobOf(headers, shape)
  const belonging = job === undefined ? undefined : book.meet(jobKey(upstream, job))
  const all = [
    named === undefined ? undefined : book.deadlineOf(named.id),
    belonging === undefined ? undefined : book.deadlineOf(belonging.id),
  ].filter((at) => at !== undefined)
  return all.length === 0 ? undefined : Math.min(...all)
}

/** Whether an input may be in the request's body. */
export const isToldInBody = ({ headers }: JobRequest, { inputs }: JobShape): boolean =>
  inputs.some(({ json }) => json !== undefined) &&
  /^application\/(?:[\w.+-]+\+)?json\b/i.test(lastField(headers, 'content-type') ?? '')

/** @param json the request's body; undefined when it is not JSON, or not known. */
export function inputsOf({ headers, target }: JobRequest, json: unknown, { inputs }: JobShape, job?: JobRecord): Read {
  const question = target.indexOf('?')
  const query = new URLSearchParams(question < 0 ? '' : target.slice(question + 1))
  const offer = {
    header: (name: string) => lastField(headers, name),
    query: (name: string) => query.get(name) ?? undefined,
    json,
  }
  return readInputs(inputs, offer, job?.inputs)
}
