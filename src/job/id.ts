/** Ids of jobs that requests and responses name: where they stand, and the key of a job among those of all upstreams. */

import { createHash } from 'node:crypto'
import { percentDecoded } from '../net/percent.ts'
import { idReader } from './match.ts'

/**
 * Where the id of a new job stands. `header` and `json` are of the response, and may hold a URL: `match` is its pattern, with
 * the id as its {name}.
 */
export type CreatedIdSource =
  | { readonly path: string }
  | { readonly query: string }
  | { readonly header: string; readonly match?: string | undefined }
  | { readonly json: string; readonly match?: string | undefined }

/** Reads the id in a value of a response: text or a number; undefined when it has none. */
export type IdInValue = (value: unknown) => string | undefined

/** @param pattern of a URL, with the id as its {name}; undefined for an id, or a URL whose last segment is the id. */
export function idInValue(pattern: string | undefined): IdInValue {
  const read = pattern === undefined ? lastSegment : patternReader(pattern)
  return (value) => {
    if (typeof value !== 'string' && typeof value !== 'number') return undefined
    const text = String(value).trim()
    return text === '' ? undefined : read(text)
  }
}

function lastSegment(text: string): string | undefined {
  if (!text.includes('/')) return text
  const path = text.replace(/[?#].*$/s, '')
  const segment = path.split('/').findLast((one) => one !== '')
  return segment && decodedSegment(segment)
}

/** The pattern may match the end of the path: the upstream's base path stands before it. */
function patternReader(pattern: string): (text: string) => string | undefined {
  const readId = idReader({ path: nameIn(pattern) }, `* ${pattern}`)
  return (text) => {
    const url = URL.canParse(text, BASE) ? new URL(text, BASE) : undefined
    if (url === undefined) return undefined
    const segments = url.pathname.split('/')
    for (let i = 1; i < segments.length; i += 1) {
      const path = `/${segments.slice(i).join('/')}`
      const id = readId({ path, target: path + url.search, headers: [] })
      if (id !== undefined) return decodedSegment(id)
    }
    return undefined
  }
}

/** Origin of URLs that are given without one. */
const BASE = 'http://upstream'

const nameIn = (pattern: string) => /\{(\w+)\}/.exec(pattern)?.[1] ?? ''

/** An id of a path, as JSON would have it. */
export const decodedSegment = (segment: string) => percentDecoded(segment) ?? segment

/** Ids of jobs in the store and in the control API. */
const KEY = /^[A-Za-z0-9._:-]{1,128}$/

/** Key of a job among those of all upstreams: `web:7`. An id of another form is replaced by its digest. */
export function jobKey(upstream: string, id: string): string {
  const key = `${upstream}:${id}`
  return KEY.test(key) ? key : `${upstream}:${createHash('sha256').update(id).digest('base64url')}`
}
