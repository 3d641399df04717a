/** JSON that may be stored: bounded in depth, and all of its text can be written as UTF-8. */

/** Levels of arrays and objects in a whole document. Copying between threads overflows the stack at some 2,000. */
const MAX_DEPTH = 64

/** Of a field's name in an answer, in UTF-16 code units: keys are the client's, and may be long. */
const MAX_FIELD_CHARS = 200

export type JsonFault = {
  /** Path of the value that is not acceptable, e.g. `metadata.files.0`; '' for the document itself. */
  readonly field: string
  readonly why: string
}

/** @returns undefined for a value that may be stored. A field whose key is not acceptable is named with U+FFFD in it. */
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
