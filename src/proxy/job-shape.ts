import type { JobBook, JobRecord } from '../job/book.ts'
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
