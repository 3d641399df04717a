/** JSON Schema (draft 7, which editors know best) of the file, made from the schema of `check`. */

import { z } from 'zod'
import { FILE } from './schema.ts'

/** The parts of JSON Schema that are used. */
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
  readonly patternProperties?: Readonly<Record<string, JsonSchema>>
  readonly items?: JsonSchema
  readonly anyOf?: readonly JsonSchema[]
  /** Written by the library around a reference with a description. */
  readonly allOf?: readonly JsonSchema[]
  readonly $ref?: string
  readonly definitions?: Readonly<Record<string, JsonSchema>>
  readonly title?: string
  readonly description?: string
  readonly default?: unknown
  /** As a suggestion for `true`. */
  readonly example?: string
  /** Replaces `default`, which the library omits for transformed values. */
  readonly byDefault?: unknown
}

/** For values as written in a file: durations as text, and `${NAME}` anywhere. */
export function jsonSchema(): JsonSchema {
  const whole = z.toJSONSchema(FILE, { io: 'input', target: 'draft-7', unrepresentable: 'any' }) as JsonSchema
  const { upstreams, defaults, routeSets, ...properties } = mapped(whole.properties ?? {}, fromEnvironment)
  const inherited = Object.keys(defaults?.properties ?? {})
  const definitions = mapped({ condition: whole.definitions?.condition ?? {} }, fromEnvironment)
  return {
    ...whole,
    definitions,
    title: 'Breakwater configuration',
    properties: {
      ...properties,
      defaults: defaults ?? {},
      routeSets: { ...routeSets, additionalProperties: { type: 'array', items: { $ref: ROUTE_REF } } },
      upstreams: withUses(withoutInherited(upstreams ?? {}, inherited)),
    },
    patternProperties: { '^x-': { description: 'A block that others merge in by <<: *name.' } },
  }
}

/** Routes of a set are those of an upstream. */
const ROUTE_REF = '#/properties/upstreams/additionalProperties/properties/routes/items/anyOf/0'

const USE: JsonSchema = {
  type: 'object',
  properties: { use: { type: 'string', description: 'Name of a set in routeSets, whose routes stand here.' } },
  required: ['use'],
  additionalProperties: false,
}

/** The schema reads routes after their sets are in place; in the file an entry may name a set. */
function withUses(upstreams: JsonSchema): JsonSchema {
  const { additionalProperties: upstream } = upstreams
  if (typeof upstream !== 'object') throw new Error('upstreams has no members')
  const { routes } = upstream.properties ?? {}
  const items = { anyOf: [routes?.items ?? {}, USE] }
  return {
    ...upstreams,
    additionalProperties: { ...upstream, properties: { ...upstream.properties, routes: { ...routes, items } } },
  }
}

/** `${NAME}` may stand for any value. To an editor it is a string. */
const REFERENCE = { type: 'string', pattern: '\\$\\{.*\\}' }

/** The only schema that refers to itself. */
const CONDITION = '#/definitions/condition'

/** The schema without an `allOf` around it. */
function joined({ allOf, ...schema }: JsonSchema): JsonSchema {
  const [only] = allOf ?? []
  return only === undefined ? schema : { ...joined(only), ...schema }
}

function fromEnvironment(schema: JsonSchema): JsonSchema {
  const { $ref, ...inner } = within(joined(schema), fromEnvironment)
  if ($ref !== undefined) return { ...(inner.description && { description: inner.description }), $ref: CONDITION }
  const { description, title, byDefault, example: _, ...value } = inner
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

/** Removes defaults below upstreams and routes, which inherit values from above. */
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

/** Applies a function to every inner schema. */
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

/** The schema as text. */
export const printedSchema = () => `${JSON.stringify(jsonSchema(), undefined, 2)}\n`
