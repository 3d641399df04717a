/** The schema of the file for editors: JSON Schema (draft 7, which they know best), from the one that `check` goes by. */

import { z } from 'zod'
import { FILE } from './schema.ts'

/** What of JSON Schema stands in ours. */
export type JsonSchema = {
  readonly type?: string | readonly string[]
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly pattern?: string
  readonly minimum?: number
  readonly maximum?: number
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: JsonSchema | boolean
  readonly items?: JsonSchema
  readonly anyOf?: readonly JsonSchema[]
  readonly title?: string
  readonly description?: string
  readonly default?: unknown
  /** Ours for `default`, which the library leaves out of whatever is read into something else. */
  readonly byDefault?: unknown
}

/** Of what is written in a file: durations as text, and any value as `${NAME}`. */
export function jsonSchema(): JsonSchema {
  const whole = z.toJSONSchema(FILE, { io: 'input', target: 'draft-7', unrepresentable: 'any' }) as JsonSchema
  const { upstreams, defaults, ...properties } = mapped(whole.properties ?? {}, fromEnvironment)
  const inherited = Object.keys(defaults?.properties ?? {})
  return {
    ...whole,
    title: 'Breakwater configuration',
    properties: { ...properties, defaults: defaults ?? {}, upstreams: withoutInherited(upstreams ?? {}, inherited) },
  }
}

/** `${NAME}` may stand for any value; quoted or not, it is a string to an editor. */
const REFERENCE = { type: 'string', pattern: '\\$\\{.*\\}' }

function fromEnvironment(schema: JsonSchema): JsonSchema {
  const inner = within(schema, fromEnvironment)
  const { description, title, byDefault, ...value } = inner
  const isPlain = /^(number|integer|boolean)$/.test(String(value.type)) || value.enum !== undefined
  const isPattern = value.pattern !== undefined && !value.pattern.includes('\\$\\{')
  const isOwn = (isPlain || isPattern) && value.const !== false
  return {
    ...(isOwn ? { anyOf: [value, REFERENCE] } : value),
    ...(title === undefined ? {} : { title }),
    ...(description === undefined ? {} : { description }),
    ...(byDefault === undefined ? {} : { default: byDefault }),
  }
}

/** Upstreams and routes have what stands above them, not the defaults of the code. */
function withoutInherited(schema: JsonSchema, inherited: readonly string[]): JsonSchema {
  const inner = within(schema, (one) => withoutInherited(one, inherited))
  if (inner.properties === undefined) return inner
  const properties = Object.entries(inner.properties).map(([key, one]) => [
    key,
    inherited.includes(key) ? withoutDefaults(one) : one,
  ])
  return { ...inner, properties: Object.fromEntries(properties) }
}

function withoutDefaults(schema: JsonSchema): JsonSchema {
  const { default: _, ...rest } = within(schema, withoutDefaults)
  return rest
}

/** The same schema with all that it is made of turned. */
function within(schema: JsonSchema, turn: (inner: JsonSchema) => JsonSchema): JsonSchema {
  const { properties, additionalProperties, items, anyOf } = schema
  return {
    ...schema,
    ...(properties && { properties: mapped(properties, turn) }),
    ...(typeof additionalProperties === 'object' && { additionalProperties: turn(additionalProperties) }),
    ...(items && { items: turn(items) }),
    ...(anyOf && { anyOf: anyOf.map(turn) }),
  }
}

const mapped = (all: Readonly<Record<string, JsonSchema>>, turn: (one: JsonSchema) => JsonSchema) =>
  Object.fromEntries(Object.entries(all).map(([key, one]) => [key, turn(one)]))

/** As it is printed and kept. */
export const printedSchema = () => `${JSON.stringify(jsonSchema(), undefined, 2)}\n`
