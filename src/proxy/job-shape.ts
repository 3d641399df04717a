import type { JobBook, JobRecord } from '../job/book.ts'
import { type InputRule, type Read, readInputs } from '../job/inputs.ts'
import type { RawHeaders } from '../net/fields.ts'

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
  const id = fieldOf(headers, idHeader)
  return id === undefined ? undefined : book.find(id)
}

/** Whether an input may be told in the request's body. */
export const isToldInBody = ({ headers }: JobRequest, { inputs }: JobShape): boolean =>
  inputs.some(({ json }) => json !== undefined) &&
  /^application\/(?:[\w.+-]+\+)?json\b/i.test(fieldOf(headers, 'content-type') ?? '')

/** @param json the request's body; undefined when it is none, or not known. */
export function inputsOf({ headers, target }: JobRequest, json: unknown, { inputs }: JobShape, job?: JobRecord): Read {
  const question = target.indexOf('?')
  const query = new URLSearchParams(question < 0 ? '' : target.slice(question + 1))
  const offer = {
    header: (name: string) => fieldOf(headers, name),
    query: (name: string) => query.get(name) ?? undefined,
    json,
  }
  return readInputs(inputs, offer, job?.inputs)
}

/** The value of the last field of that (lower-case) name; undefined when there is none. */
function fieldOf(headers: RawHeaders, name: string): string | undefined {
  for (let i = headers.length - 2; i >= 0; i -= 2) {
    const field = headers[i]
    if (field !== undefined && field.length === name.length && field.toLowerCase() === name) return headers[i + 1]
  }
  return undefined
}
