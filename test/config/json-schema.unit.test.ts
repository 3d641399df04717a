import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { configurationPage } from '../../docs/print-configuration.ts'
import { type JsonSchema, jsonSchema, printedSchema } from '../../src/config/json-schema.ts'

const root = join(import.meta.dirname, '../..')
const read = (name: string) => readFileSync(join(root, name), 'utf8')

test('config/schema.json and docs/configuration.md are up to date; npm run docs writes them', () => {
  expect(read('config/schema.json')).toBe(printedSchema())
  expect(read('docs/configuration.md')).toBe(configurationPage())
})

/** Keys that hold a value, with their paths. */
function leaves(schema: JsonSchema, path: string): [string, JsonSchema][] {
  const { additionalProperties: map, items, anyOf = [] } = schema
  const inner = Object.entries(schema.properties ?? {}).flatMap(([key, one]): [string, JsonSchema][] => [
    ...(one.type === 'object' && one.properties !== undefined ? [] : [[`${path}.${key}`, one] as [string, JsonSchema]]),
    ...leaves(one, `${path}.${key}`),
  ])
  const others = [...anyOf, ...(typeof map === 'object' ? [map] : []), ...(items ? [items] : [])]
  return [...inner, ...others.flatMap((one) => leaves(one, path))]
}

test('every key has a description; a key that is not inherited has its default', () => {
  const all = leaves(jsonSchema(), '')
  expect(all.length).toBeGreaterThan(150)
  expect(all.filter(([, { description }]) => description === undefined).map(([path]) => path)).toEqual([])
  const known = new Map(all)
  expect(known.get('.defaults.timeout.total')?.default).toBe('60s')
  expect(known.get('.upstreams.timeout.total')?.default).toBeUndefined()
  expect(known.get('.upstreams.routes.resume')?.default).toBe(false)
})

/** Validates with the keywords of JSON Schema draft 7 that our schema uses. */
function accepts(schema: JsonSchema, value: unknown): boolean {
  const { type, pattern, properties = {}, required = [], additionalProperties = true, anyOf, items } = schema
  if (anyOf !== undefined && !anyOf.some((one) => accepts(one, value))) return false
  if (schema.const !== undefined && schema.const !== value) return false
  if (schema.enum !== undefined && !schema.enum.includes(value)) return false
  if (type !== undefined && ![type].flat().some((one) => isOf(one, value))) return false
  if (typeof value === 'string') return pattern === undefined || new RegExp(pattern).test(value)
  if (typeof value === 'number') return value >= (schema.minimum ?? value) && value <= (schema.maximum ?? value)
  if (Array.isArray(value)) return items === undefined || value.every((one) => accepts(items, one))
  if (typeof value !== 'object' || value === null) return true
  return (
    required.every((key) => key in value) &&
    Object.entries(value).every(([key, one]) => {
      const inner = properties[key] ?? additionalProperties
      return typeof inner === 'boolean' ? inner : accepts(inner, one)
    })
  )
}

function isOf(type: string, value: unknown): boolean {
  if (type === 'integer') return Number.isInteger(value)
  if (type === 'object') return typeof value === 'object' && value !== null && !Array.isArray(value)
  return type === 'array' ? Array.isArray(value) : typeof value === type
}

test('the schema accepts the shipped proxy.yaml with its references, and rejects mistakes', async () => {
  const { parse } = await import('yaml')
  const shipped: unknown = parse(read('proxy.yaml'))
  const schema = jsonSchema()
  expect(accepts(schema, shipped)).toBe(true)
  const web = { web: { url: 'http://x' } }
  for (const faulty of [
    {},
    { upstreams: { web: { url: 'http://x', timeout: { total: 25 } } } },
    { upstreams: web, defaults: { retry: { attempts: 0 } } },
    { upstreams: web, defaults: { retry: { on: [200] } } },
    { upstreams: web, servce: 'x' },
    { upstreams: { web: { url: 'http://x', routes: [{ matches: 'GET /' }] } } },
  ]) {
    expect([faulty, accepts(schema, faulty)]).toEqual([faulty, false])
  }
  expect(accepts(schema, { upstreams: web, defaults: { retry: { attempts: '${N:-3}' } } })).toBe(true)
})
