/** What the schema knows at a path of the file. */

import { z } from 'zod'
import type { Path } from './source.ts'

/** The alternatives at a path, each without what is wrapped around it. */
function schemasAt(schema: unknown, path: Path): unknown[] {
  if (schema instanceof z.ZodOptional) return schemasAt(schema.unwrap(), path)
  if (schema instanceof z.ZodPipe) return schemasAt(schema.in, path)
  if (schema instanceof z.ZodLazy) return schemasAt(schema.unwrap(), path)
  if (schema instanceof z.ZodUnion) return schema.options.flatMap((option) => schemasAt(option, path))
  const [key, ...rest] = path
  if (key === undefined) return [schema]
  if (schema instanceof z.ZodObject) return schemasAt(schema.shape[String(key)], rest)
  if (schema instanceof z.ZodRecord) return schemasAt(schema.valueType, rest)
  return schema instanceof z.ZodArray ? schemasAt(schema.element, rest) : []
}

/** The maps with fixed keys that may stand at a path. */
export const blocksAt = (schema: unknown, path: Path): z.ZodObject[] =>
  schemasAt(schema, path).filter((one) => one instanceof z.ZodObject)

/** The keys that may stand at a path. */
export const keysAt = (schema: unknown, path: Path): string[] =>
  blocksAt(schema, path).flatMap((block) => Object.keys(block.shape))

/** Whether `false` may stand at a path. */
export const canBeFalse = (schema: unknown, path: Path): boolean =>
  schemasAt(schema, path).some((one) => one instanceof z.ZodLiteral && one.value === false)
