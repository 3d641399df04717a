import { type RawHeaders, withoutFields } from '../../net/fields.ts'
import type { Rewriting } from './rewrite.ts'

/** What a route adds to the header fields of its messages, changes in them and removes from them. Compiled; only read. */
export type FieldRules = {
  /** Whether X-Forwarded-For, -Proto and -Host are added. */
  readonly forwarded: boolean
  /** Whether Via is added, in both directions. */
  readonly via: boolean
  /** Host of requests: `upstream`, `preserve`, or the value itself. */
  readonly host: string
  readonly request: Edits
  readonly response: Edits
  /** undefined when URLs stay as they are. */
  readonly rewriting: Rewriting | undefined
}

export type Edits = {
  /** Names in lower case, those of `set` included. */
  readonly removed: ReadonlySet<string>
  readonly set: readonly { readonly name: string; readonly from: ValueSource }[]
}

/** Where a field's value is read for each message: a value that a file holds changes with the file. */
export type ValueSource = { readonly value: string }

/** Applies a route's own changes, after everything else. */
export function edited(headers: string[], { removed, set }: Edits): string[] {
  if (removed.size === 0) return headers
  const others = withoutFields(headers, removed)
  for (const { name, from } of set) others.push(name, from.value)
  return others
}

/** The fields of an interim response. It is no place for the fields of `set`, which describe the final one. */
export const withoutRemoved = (headers: string[], { removed }: Edits): RawHeaders =>
  removed.size === 0 ? headers : withoutFields(headers, removed)
