/** Operations of the control API: their path, schemas and answer. The API's document is made from them. */

import { STATUS_CODES } from '../../net/http.ts'
import { z } from 'zod'
import { percentDecoded } from '../../net/percent.ts'

/** A body that lasts until the client leaves or the listener closes. @returns a function that ends it. */
export type Stream = (push: (text: string) => void) => () => void

export type Reply = {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Stream
}

/** A call as it came: decoded names of the path, and the query. */
export type Asked = {
  readonly params: Readonly<Record<string, string>>
  readonly query: URLSearchParams
  /** Lower-case names. */
  readonly header: (name: string) => string | undefined
  /** Aborted when the connection closes. */
  readonly gone: AbortSignal
}

/** A call as the operation's schemas read it. */
export type Call<Params, Query, Body> = {
  readonly params: Params
  readonly query: Query
  readonly body: Body
  readonly header: Asked['header']
  /** The query as it came, including names without a schema. */
  readonly given: URLSearchParams
}

type Description = {
  readonly id: string
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE'
  /** `{name}` stands for a segment. */
  readonly path: string
  readonly summary: string
  /** Whether it answers without a token. */
  readonly open: boolean
  readonly headers: readonly string[]
  /** Meaning of each status. Problems are not listed. */
  readonly answers: Readonly<Record<number, { readonly what: string; readonly schema: z.ZodType | undefined }>>
}

type Shape = Readonly<Record<string, z.ZodType>>

/** For operations that read no body. */
export const NO_BODY = z.undefined()

export type Operation = Description & {
  readonly params: Shape
  readonly query: Shape
  /** NO_BODY where it takes none. */
  readonly body: z.ZodType
  /** Largest body, where it is not that of all operations. */
  readonly maxBodyBytes?: number
  /** Whether `begin`'s function gets the body's bytes in pieces, and reads them itself. */
  readonly reads?: 'bytes'
  /**
   * Reads a call's path and query.
   * @returns a function that answers the call, given its body as JSON (undefined for NO_BODY).
   * @throws Refusal 400 that names the field; the returned function does, too.
   */
  readonly begin: (asked: Asked) => (body: unknown) => Reply | Promise<Reply>
}

/** An operation whose `answer` gets what its schemas read. */
export function operation<P extends Shape, Q extends Shape, B>({
  answer,
  ...described
}: Description & {
  readonly params: P
  readonly query: Q
  readonly body: z.ZodType<B>
  readonly answer: (call: Call<z.output<z.ZodObject<P>>, z.output<z.ZodObject<Q>>, B>) => Reply | Promise<Reply>
}): Operation {
  const [params, query] = [z.object(described.params), z.object(described.query)]
  return {
    ...described,
    begin: ({ params: inPath, query: given, header }) => {
      // Of a parameter that comes twice, the first counts.
      const read = { params: checked(params, inPath), query: checked(query, Object.fromEntries([...given].reverse())) }
      return (json) => answer({ ...read, header, given, body: checked(described.body, json) })
    },
  }
}

/** Defaults of most operations. */
export const PLAIN = { open: false, params: {}, query: {}, headers: [], body: NO_BODY } as const

/** Query parameter for the number of entries in a list. */
export const limitUpTo = (most: number) => z.coerce.number().pipe(z.int().min(1).max(most)).optional()

/** An answer that says why a call was refused. Nothing was changed. */
export class Refusal extends Error {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** Path of the wrong part, e.g. `item_ids.3`. */
  readonly field: string | undefined

  constructor(status: number, detail: string, field?: string, headers: Readonly<Record<string, string>> = {}) {
    super(detail)
    this.status = status
    this.field = field
    this.headers = headers
  }
}

export const text = (body: string, type = 'text/plain; charset=utf-8'): Reply => ({
  status: 200,
  headers: { 'content-type': type },
  body,
})

export const json = (status: number, value: unknown, headers: Readonly<Record<string, string>> = {}): Reply => ({
  status,
  headers: { ...headers, 'content-type': 'application/json' },
  body: `${JSON.stringify(value)}\n`,
})

export const streamed = (body: Stream): Reply => ({
  status: 200,
  headers: { 'content-type': 'text/event-stream' },
  body,
})

export const empty: Reply = { status: 204, headers: {}, body: '' }

/** A problem of RFC 9457 without a type; the title is the status's. @param more members (section 3.2). */
export const problem = (
  status: number,
  detail: string,
  headers: Readonly<Record<string, string>> = {},
  more: Readonly<Record<string, unknown>> = {},
): Reply => ({
  status,
  headers: { ...headers, 'content-type': 'application/problem+json' },
  body: `${JSON.stringify({ type: 'about:blank', title: STATUS_CODES[status], status, detail, ...more })}\n`,
})

/** Reads a value by its schema. @throws Refusal 400 that names the field. */
function checked<V>(schema: z.ZodType<V>, value: unknown, prefix = ''): V {
  const read = schema.safeParse(value)
  if (read.success) return read.data
  const [issue] = read.error.issues
  const path = [...(prefix === '' ? [] : [prefix]), ...(issue?.path ?? []).map(String)]
  const unknown = issue?.code === 'unrecognized_keys' ? issue.keys.slice(0, 1) : []
  const field = [...path, ...unknown].join('.')
  const why = unknown.length > 0 ? 'unknown field' : (issue?.message ?? 'not acceptable')
  throw new Refusal(400, field === '' ? why : `${field}: ${why}`, field === '' ? undefined : field)
}

export type Matched = { readonly operation: Operation; readonly params: Readonly<Record<string, string>> }

/** Splits the operations' paths once. @returns a function that finds the operations at a path, of all methods. */
export function compileOperations(operations: readonly Operation[]): (path: string) => Matched[] {
  const compiled = operations.map((operation) => ({
    operation,
    segments: operation.path
      .split('/')
      .map((text) => ({ text, name: text.startsWith('{') ? text.slice(1, -1) : undefined })),
  }))
  return (path) => {
    const given = path.split('/')
    return compiled.flatMap(({ operation, segments }) => {
      const params = paramsOf(segments, given)
      return params === undefined ? [] : [{ operation, params }]
    })
  }
}

type Segment = { readonly text: string; readonly name: string | undefined }

function paramsOf(wanted: readonly Segment[], given: readonly string[]): Record<string, string> | undefined {
  if (wanted.length !== given.length) return undefined
  if (wanted.some(({ text, name }, i) => name === undefined && text !== given[i])) return undefined
  // Text that is not percent-encoded UTF-8 stays as it is. The parameter's pattern refuses it.
  const named = wanted.map(({ name }, i) => [name, percentDecoded(given[i] ?? '') ?? given[i]] as const)
  return Object.fromEntries(named.filter(([name]) => name !== undefined))
}
