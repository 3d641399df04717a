import type { JobBook, JobRecord } from '../job/book.ts'
import { type InputRule, readInputs } from '../job/inputs.ts'
import type { Inputs } from '../job/timeouts.ts'
import type { RawHeaders } from '../policy/exchange.ts'
import type { KeptBody } from './body.ts'

/** How requests tell the job that they belong to. */
export type JobShape = {
  /** Lower case. */
  readonly idHeader: string
  readonly inputs: readonly InputRule[]
  readonly book: JobBook
}

/** What of a request is looked at. */
export type JobRequest = {
  readonly headers: RawHeaders
  readonly target: string
  readonly body: KeptBody | undefined
}

/** A body up to this is waited for and looked into, where an input is told in it. */
const PEEKED_BYTES = 64 * 1024

/** undefined when the request names no job, or none that is registered. */
export function jobOf(headers: RawHeaders, { idHeader, book }: JobShape): JobRecord | undefined {
  if (book.size === 0) return undefined
  const id = fieldOf(headers, idHeader)
  return id === undefined ? undefined : book.find(id)
}

/** @param onRefused told the name of each input whose value was not acceptable. */
export async function inputsOf(
  request: JobRequest,
  job: JobRecord | undefined,
  { inputs }: JobShape,
  onRefused: (input: string) => void,
): Promise<Inputs> {
  const isTold = inputs.some(({ json }) => json !== undefined)
  const question = request.target.indexOf('?')
  const query = new URLSearchParams(question < 0 ? '' : request.target.slice(question + 1))
  const offer = {
    header: (name: string) => fieldOf(request.headers, name),
    query: (name: string) => query.get(name) ?? undefined,
    json: isTold && isJson(request.headers) ? await peeked(request.body) : undefined,
  }
  const read = readInputs(inputs, offer, job?.inputs)
  for (const input of read.refused) onRefused(input)
  return read.inputs
}

/** The value of the last field of that (lower-case) name; undefined when there is none. */
function fieldOf(headers: RawHeaders, name: string): string | undefined {
  for (let i = headers.length - 2; i >= 0; i -= 2) {
    const field = headers[i]
    if (field !== undefined && field.length === name.length && field.toLowerCase() === name) return headers[i + 1]
  }
  return undefined
}

const isJson = (headers: RawHeaders) =>
  /^application\/(?:[\w.+-]+\+)?json\b/i.test(fieldOf(headers, 'content-type') ?? '')

async function peeked(body: KeptBody | undefined): Promise<unknown> {
  const bytes = await body?.peek(PEEKED_BYTES)
  try {
    return bytes === undefined ? undefined : JSON.parse(bytes.toString())
  } catch {
    return undefined // whether it is JSON is the upstream's to say; it has no input for us
  }
}
