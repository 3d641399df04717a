/** A route's `match`: which requests are the route's, and which part of them is the job's id. */

import type { RawHeaders } from '../net/fields.ts'
import { firstField } from '../net/fields.ts'

/** What a match reads of a request. */
export type Asked = {
  readonly method: string
  /** Without query, as the client sent it. */
  readonly path: string
  /** With its query, where it has one. Only read by a match that asks for a query. */
  readonly target: string
  readonly headers: RawHeaders
}

/**
 * Compares a request with a match. Arguments stand one by one, so that a plain route costs no object.
 * @param target ends with the query, where there is one.
 */
export type Match = (method: string, path: string, target: string, headers: RawHeaders) => boolean

/** `{name}`, `*`, or plain text. */
type QueryPart = { readonly name: string; readonly value: string }
type HeaderPart = { readonly name: string; readonly value: string }

export type MatchParts = {
  /** `*` for any. */
  readonly method: string
  /** Pattern of the path. */
  readonly path: string
  readonly query: readonly QueryPart[]
  /** Names in lower case. */
  readonly headers: readonly HeaderPart[]
}

const PATH = String.raw`\/(?:(?:\*|[^\s{}*/?#]*(?:\{[a-zA-Z_]\w*\}[^\s{}*/?#]*)?)(?:\/|$|(?=\?)))*`
const QUERY = String.raw`[^\s{}*&=?#]+=(?:\{[a-zA-Z_]\w*\}|\*|[^\s{}*&=?#]+)`
/** `GET /jobs/{id}/download`, `POST /search/*`, `* /health`, `GET /query-job?job_id={id}`, `POST /v1/{name}:cancel`. */
export const MATCH_FORM = new RegExp(`^(?:[A-Z]+|\\*) ${PATH}(?:\\?${QUERY}(?:&${QUERY})*)?$`)

/** The path and query of MATCH_FORM. */
export const MATCH_PATH_FORM = new RegExp(`^${PATH}(?:\\?${QUERY}(?:&${QUERY})*)?$`)

/** Pattern of a header field's value; a `*` stands for any text. */
export const HEADER_FORM = /^[!-+\--~]+$/

/**
 * One line for a match with header fields, which names the route: `POST / x-amz-target: Transcribe.Start*`.
 * @param request method, path and query.
 */
export function matchName(request: string, headers: Readonly<Record<string, string>> = {}): string {
  const fields = Object.entries(headers).map(([name, value]) => `${name.toLowerCase()}: ${value}`)
  return fields.length === 0 ? request : `${request} ${fields.sort().join(', ')}`
}

/** Reads what `matchName` has written. */
export function matchParts(name: string): MatchParts {
  const [method = '*', target = '', ...fields] = name.split(' ')
  const [path = '', query] = target.split('?', 2)
  return {
    method,
    path,
    query: query === undefined ? [] : query.split('&').map((pair) => partOf(pair, '=')),
    headers:
      fields.length === 0
        ? []
        : fields
            .join(' ')
            .split(', ')
            .map((field) => partOf(field, ': ')),
  }
}

function partOf(text: string, separator: string) {
  const at = text.indexOf(separator)
  return { name: text.slice(0, at), value: text.slice(at + separator.length) }
}

const NAME = /\{(\w+)\}/

/** Names that a match gives to parts of a request. */
export const namesIn = (match: string): string[] => [...match.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name)

/**
 * Compiles a match. In the path, `{name}` stands for a part of one segment that is not empty, an inner `*` for a segment, a last
 * `*` for the whole rest; bytes are compared without decoding. In the query, `{name}` and `*` stand for any value that is not
 * empty; other parameters may stand beside. A GET route also matches HEAD.
 */
export function compileMatch(name: string): Match {
  const { method, path, query, headers } = matchParts(name)
  const pattern = pathPattern(path)
  const isPath: Match = (asked, at) =>
    (method === '*' || method === asked || (method === 'GET' && asked === 'HEAD')) && pattern.test(at)
  if (query.length === 0 && headers.length === 0) return isPath
  const fields = headers.map((field) => ({ name: field.name, pattern: valuePattern(field.value) }))
  const hasFields = (sent: RawHeaders) =>
    fields.every((field) => {
      const value = firstField(sent, field.name)
      return value !== undefined && field.pattern.test(value)
    })
  return (asked, at, target, sent) =>
    isPath(asked, at, target, sent) && hasFields(sent) && (query.length === 0 || hasParameters(query, target))
}

function hasParameters(query: readonly QueryPart[], target: string): boolean {
  const sent = new URLSearchParams(queryIn(target))
  return query.every(({ name, value }) => {
    const values = sent.getAll(decoded(name))
    return value === '*' || NAME.test(value) ? (values[0] ?? '') !== '' : values.includes(decoded(value))
  })
}

const decoded = (part: string) => new URLSearchParams(`x=${part}`).get('x') ?? ''

const queryIn = (target: string) => {
  const at = target.indexOf('?')
  return at < 0 ? '' : target.slice(at + 1)
}

/** @param named the `{name}` that is captured. */
function pathPattern(path: string, named?: string): RegExp {
  const segments = path.split('/')
  const source = segments.map((segment, i) => {
    if (segment === '*') return i === segments.length - 1 ? '.+' : '[^/]+'
    const [, before = '', name, after = ''] = /^([^{]*)\{(\w+)\}(.*)$/.exec(segment) ?? []
    if (name === undefined) return RegExp.escape(segment)
    const value = name === named ? '([^/]+)' : '[^/]+'
    return `${before && RegExp.escape(before)}${value}${after && RegExp.escape(after)}`
  })
  return new RegExp(`^${source.join('/')}$`, 's')
}

const valuePattern = (value: string) =>
  new RegExp(
    `^${value
      .split('*')
      .map((part) => part && RegExp.escape(part))
      .join('.*')}$`,
    's',
  )

/** Where a job's id stands. `json` is a JSON Pointer into the response. */
export type IdSource =
  | { readonly path: string }
  | { readonly query: string }
  | { readonly header: string }
  | { readonly json: string }

/** Reads the id of a request; undefined when the request has none. */
export type ReadId = (request: Omit<Asked, 'method'>) => string | undefined

/** @param source not `json`. */
export function idReader(source: Exclude<IdSource, { readonly json: string }>, match: string): ReadId {
  if ('header' in source) {
    const name = source.header.toLowerCase()
    return ({ headers }) => firstField(headers, name) || undefined
  }
  const { path, query } = matchParts(match)
  const parameter = 'query' in source ? source.query : query.find(({ value }) => value === `{${source.path}}`)?.name
  if (parameter !== undefined) {
    const name = decoded(parameter)
    return ({ target }) => new URLSearchParams(queryIn(target)).get(name) || undefined
  }
  const pattern = pathPattern(path, 'path' in source ? source.path : undefined)
  return ({ path: asked }) => pattern.exec(asked)?.[1]
}
