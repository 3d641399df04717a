/** Checks JSON before it is stored: bounded depth, and text that UTF-8 can hold. */

/** Largest depth of arrays and objects. Copying between threads overflows the stack at about 2,000. */
const MAX_DEPTH = 64

/** Longest field name in an answer, in UTF-16 code units: clients choose their keys. */
const MAX_FIELD_CHARS = 200

export type JsonFault = {
  /** Path of the unacceptable value, e.g. `metadata.files.0`; '' for the document itself. */
  readonly field: string
  readonly why: string
}

/** @returns undefined for a value that may be stored. Unacceptable characters of a key are shown as U+FFFD. */
export function jsonFault(value: unknown): JsonFault | undefined {
  const found = faultIn(value, 1)
  return found && { field: found.path.join('.').slice(0, MAX_FIELD_CHARS).toWellFormed(), why: found.why }
}

const LONE_SURROGATE = 'has half of a surrogate pair, which UTF-8 cannot say'

type Found = { readonly path: readonly string[]; readonly why: string }

function faultIn(value: unknown, depth: number): Found | undefined {
  if (typeof value === 'string') return value.isWellFormed() ? undefined : { path: [], why: LONE_SURROGATE }
  if (typeof value !== 'object' || value === null) return undefined
  if (depth > MAX_DEPTH) return { path: [], why: `nested deeper than ${MAX_DEPTH} levels` }
  for (const key of Object.keys(value)) {
    const member = (value as Readonly<Record<string, unknown>>)[key]
    const fault = key.isWellFormed() ? faultIn(member, depth + 1) : { path: [], why: LONE_SURROGATE }
    if (fault !== undefined) return { path: [key, ...fault.path], why: fault.why }
  }
  return undefined
}
