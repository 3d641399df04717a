/** Looks for values in JSON documents. */

import { isMap } from '../config/kinds/setting.ts'

export type Scalar = string | number | boolean | null

/** Deepest level that is looked at, and the number of values: reports are small, results are not. */
const MAX_DEPTH = 4
const MAX_VALUES = 500

/** The plain values of a document outside of lists, by JSON Pointer. */
export function scalarsIn(document: unknown): Map<string, Scalar> {
  const found = new Map<string, Scalar>()
  const walk = (value: unknown, pointer: string, depth: number) => {
    if (found.size >= MAX_VALUES) return
    if (isScalar(value)) found.set(pointer, value)
    else if (isMap(value) && depth < MAX_DEPTH)
      for (const [key, inner] of Object.entries(value)) walk(inner, `${pointer}/${escaped(key)}`, depth + 1)
  }
  if (isMap(document)) walk(document, '', 0)
  return found
}

const isScalar = (value: unknown): value is Scalar =>
  value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'

/** RFC 6901 section 3. */
const escaped = (key: string) => key.replaceAll('~', '~0').replaceAll('/', '~1')
