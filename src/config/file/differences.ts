/** Differences between two texts of a configuration, setting by setting as they are written. */

import { MAX_BYTES, plainValue } from './plain-value.ts'
import { Source } from './source.ts'

/** `path`: keys from the top, joined by dots; a route is named by its `match`. undefined: the text does not have it. */
export type Difference = {
  readonly path: string
  readonly before: string | undefined
  readonly after: string | undefined
}

type Written = ReadonlyMap<string, string>

/** @returns undefined when one of the texts cannot be read as YAML. In the order of `after`, then what it lacks. */
export function differences(before: string, after: string): Difference[] | undefined {
  const [old, now] = [writtenIn(before), writtenIn(after)]
  if (old === undefined || now === undefined) return undefined
  const changed = [...now].flatMap(([path, value]) =>
    old.get(path) === value ? [] : [{ path, before: old.get(path), after: value }],
  )
  const removed = [...old].flatMap(([path, value]) =>
    now.has(path) ? [] : [{ path, before: value, after: undefined }],
  )
  return [...changed, ...removed]
}

/** Settings by their path. */
function writtenIn(text: string): Written | undefined {
  if (Buffer.byteLength(text) > MAX_BYTES) return undefined
  const source = new Source(text)
  if (source.faults().length > 0 || source.excess() !== undefined) return undefined
  const value = plainValue(source)
  if (value instanceof Error) return undefined
  const found = new Map<string, string>()
  collect(value, [], found)
  return found
}

function collect(value: unknown, path: readonly string[], found: Map<string, string>): void {
  if (Array.isArray(value) && value.some((item) => typeof item === 'object')) {
    for (const [i, item] of value.entries()) collect(item, [...path, nameOf(item) ?? String(i)], found)
  } else if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    for (const [key, inner] of Object.entries(value)) collect(inner, [...path, key], found)
  } else found.set(path.join('.'), typeof value === 'string' ? value : JSON.stringify(value))
}

/** A route's name, so that one that is put before it changes only itself. */
function nameOf(item: unknown): string | undefined {
  if (typeof item !== 'object' || item === null || !('match' in item)) return undefined
  const { match } = item
  return `[${typeof match === 'string' ? match : JSON.stringify(match)}]`
}
