import type { JobBook, JobRecord } from '../job/book.ts'
import { type InputRule, type Read, readInputs } from '../job/inputs.ts'
import { lastField, type RawHeaders } from '../net/fields.ts'

/** How requests tell the job that they belong to. */
export type JobShape = {
  /** Lower case. */
  readonly idHeader: string
  readonly inputs: readonly InputRule[]
  readonly book: JobBook
}

/** What of a request is looked at, its body aside. */
export type JobRequest = {
  readonly headers: RawHeaders
  readonly target: string
}

/** undefined when the request names no job, or none that is registered. */
export function jobOf(headers: RawHeaders, { idHeader, book }: JobShape): JobRecord | undefined {
  if (book.size === 0) return undefined
  const id = lastField(headers, idHeader)
  return id === undefined ? undefined : book.find(id)
}

/** Whether an input may be told in the request's body. */
export const isToldInBody = ({ headers }: JobRequest, { inputs }: JobShape): boolean =>
  inputs.some(({ json }) => json !== undefined) &&
  /^application\/(?:[\w.+-]+\+)?json\b/i.test(lastField(headers, 'content-type') ?? '')

/** @param json the request's body; undefined when it is none, or not known. */
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
