/** A call of the control API: how it is asked for, what may be in it, and what answers it. The API's document is made of these. */

import { STATUS_CODES } from 'node:http'
import { z } from 'zod'
import { percentDecoded } from '../../net/percent.ts'

/** A body that goes on until the client leaves or the listener closes. @returns what ends it. */
export type Stream = (push: (text: string) => void) => () => void

export type Reply = {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Stream
}

/** A call as it came: by name in the operation's path (decoded), and in its query. */
export type Asked = {
  readonly params: Readonly<Record<string, string>>
  readonly query: URLSearchParams
  /** Lower-case names. */
  readonly header: (name: string) => string | undefined
}

/** A call as the operation's schemas read it. */
export type Call<Params, Query, Body> = {
  readonly params: Params
  readonly query: Query
  readonly body: Body
  readonly header: Asked['header']
  /** The query as it came, with names that no schema has. */
  readonly given: URLSearchParams
}

type Description = {
  readonly id: string
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE'
  /** With `{name}` for a segment. */
  readonly path: string
  readonly summary: string
  /** Answers whoever asks, token or not. */
  readonly open: boolean
  readonly headers: readonly string[]
  /** By status, what it means; problems go without saying. */
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
  /**
   * Reads a call's path and query.
   * @returns what answers it, given its body as JSON; undefined for NO_BODY.
   * @throws Refusal 400 that names the field; so does what it returns.
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
      // Of a parameter that comes twice the first one counts.
      const read = { params: checked(params, inPath), query: checked(query, Object.fromEntries([...given].reverse())) }
      return (json) => answer({ ...read, header, given, body: checked(described.body, json) })
    },
  }
}

/** What most operations have none of. */
export const PLAIN = { open: false, params: {}, query: {}, headers: [], body: NO_BODY } as const

/** How many of a list are asked for. */
export const limitUpTo = (most: number) => z.coerce.number().pipe(z.int().min(1).max(most)).optional()

/** An answer that says what is wrong with a call; nothing was changed by it. */
export class Refusal extends Error {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** The part of the call that is meant, e.g. `item_ids.3`. */
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

/** RFC 9457; with no type of its own, the title is the status's. @param more members of its own (section 3.2). */
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

/** A value as its schema reads it. @throws Refusal 400 that names the field. */
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

/** Takes the paths of operations apart once. @returns what finds those at a path, whatever their method. */
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
  // What is no percent-encoding stays as it is, and is refused by the parameter's pattern.
  const named = wanted.map(({ name }, i) => [name, percentDecoded(given[i] ?? '') ?? given[i]] as const)
  return Object.fromEntries(named.filter(([name]) => name !== undefined))
}
