/** Prints docs/configuration.md from the schema in the code: `npm run docs`. A test compares the two. */

import { type JsonSchema, jsonSchema } from '../src/config/json-schema.ts'

export function configurationPage(): string {
  const { properties, definitions } = jsonSchema()
  const { defaults, upstreams, job, timeouts, routeSets, ...top } = properties ?? {}
  const upstream = memberOf(upstreams)
  const route = upstream.properties?.routes?.items?.anyOf?.[0] ?? {}
  const inherited = Object.keys(defaults?.properties ?? {})
  const ofRoutes = inherited.filter((key) => route.properties?.[key] !== undefined)
  return `# Configuration

Printed from the schema in \`src/config\` by \`npm run docs\`. \`breakwater check FILE\` lists faults and what is unwise;
[config/schema.json](../config/schema.json) is the same for editors:

\`\`\`yaml
# yaml-language-server: $schema=./config/schema.json
\`\`\`

Durations have a unit (\`250ms\`, \`30s\`, \`1h30m\`), and so have sizes (\`64KiB\`, \`5GB\`). Any value may hold \`\${NAME}\` or
\`\${NAME:-fallback}\`. Where a list is asked for, one value alone is a list of one. Every key but \`upstreams\` may be left out.

## The sidecar

${tableOf({ properties: top })}
## \`upstreams.<name>\`

${upstreams?.description} Beside these keys, each of those under \`defaults\`.

${tableOf(without(upstream, inherited))}
## \`upstreams.<name>.routes[]\`

Beside these keys, of those under \`defaults\`: ${ofRoutes.map(code).join(', ')} (without \`retry.budget\`). A route that says
anything of \`breaker\` has a breaker of its own.

${tableOf(without(route, inherited))}
## \`routeSets.<name>\`

${routeSets?.description} A set's routes stand where \`{ use: name }\` stands. A key of the file that begins with \`x-\` holds what other
places merge in (\`<<: *name\`) or repeat (\`*name\`).

## A condition

Of a response: for \`hold.while\`, \`failureWhen\` and \`completedWhen\`. A list of conditions holds when any of them does.
[Failed jobs](policies/failure-when.md#conditions) says more.

${tableOf(definitions?.condition?.anyOf?.find((one) => one.properties !== undefined))}
## \`defaults\`

${defaults?.description}

${tableOf(defaults)}
## \`job\`

${job?.description}

${tableOf(job)}
## \`timeouts.<name>\`

${timeouts?.description} A timeout is \`(base + sum of per · input) · product of times\`, clamped to \`min\` and \`max\`, in whole seconds.

${tableOf(memberOf(timeouts))}`
}

const code = (text: string) => `\`${text}\``

const memberOf = (map: JsonSchema | undefined): JsonSchema =>
  typeof map?.additionalProperties === 'object' ? map.additionalProperties : {}

function without(schema: JsonSchema, keys: readonly string[]): JsonSchema {
  const properties = Object.entries(schema.properties ?? {}).filter(([key]) => !keys.includes(key))
  return { ...schema, properties: Object.fromEntries(properties) }
}

type Row = { readonly key: string; readonly schema: JsonSchema; readonly isRequired: boolean }

function tableOf(schema: JsonSchema | undefined): string {
  const rows = rowsOf(schema, '').map(({ key, schema: one, isRequired }) => {
    const byDefault = one.default === undefined ? (isRequired ? 'required' : '') : code(written(one.default))
    return `| ${code(key)} | ${kindOf(one).replaceAll('<', '\\<')} | ${byDefault} | ${one.description ?? ''} |`
  })
  return `| key | value | default | |\n|---|---|---|---|\n${rows.join('\n')}\n`
}

/** One for each key, also of the maps that a key may have instead of a plain value. */
function rowsOf(schema: JsonSchema | undefined, prefix: string): Row[] {
  return Object.entries(schema?.properties ?? {}).flatMap(([name, one]) => {
    const key = `${prefix}${name}`
    const row = { key, schema: one, isRequired: schema?.required?.includes(name) ?? false }
    const maps = (one.anyOf ?? [one]).filter(({ properties }) => properties !== undefined)
    const inner = maps.flatMap((map) => rowsOf(map, `${key}.`))
    const named = mapsOfMaps(one).flatMap((map) => rowsOf(map, `${key}.<name>.`))
    const isBlock = one.properties !== undefined && one.description === undefined
    return isBlock ? inner : [row, ...inner, ...named]
  })
}

const mapsOfMaps = (schema: JsonSchema) => [memberOf(schema)].filter(({ properties }) => properties !== undefined)

function kindOf(schema: JsonSchema): string {
  if (schema.title !== undefined) return schema.title
  if (schema.$ref !== undefined) return 'a condition'
  if (schema.items !== undefined)
    return schema.items.anyOf?.some(({ properties }) => properties !== undefined)
      ? 'a list, see below'
      : `a list of: ${kindOf(schema.items)}`
  if (schema.anyOf !== undefined) {
    const kinds = [...new Set(schema.anyOf.filter((one) => !isReference(one)).map(kindOf))]
    // The page says once that a list of one may be its value alone.
    return kinds.filter((kind) => !kinds.includes(`a list of: ${kind}`)).join(', or ')
  }
  if (schema.const !== undefined) return code(written(schema.const))
  if (schema.enum !== undefined) return schema.enum.map((one) => code(written(one))).join(', ')
  if (schema.properties !== undefined) return 'keys'
  if (schema.type === 'object')
    return memberOf(schema).properties ? 'keys by name' : `by name: ${kindOf(memberOf(schema))}`
  if (Array.isArray(schema.type)) return schema.type.map((type) => kindOf({ type })).join(', or ')
  if (schema.type === 'boolean') return '`true` or `false`'
  const bounds = schema.minimum === undefined ? '' : ` from ${schema.minimum} to ${schema.maximum}`
  const kinds: Readonly<Record<string, string>> = { integer: 'a whole number', number: 'a number', string: 'text' }
  return `${kinds[String(schema.type)] ?? 'text'}${bounds}`
}

const isReference = ({ type, pattern }: JsonSchema) => type === 'string' && pattern === '\\$\\{.*\\}'

/** As in the file, on one line. */
function written(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(written).join(', ')}]`
  if (typeof value !== 'object' || value === null) return value === '' ? '""' : String(value)
  if (Object.keys(value).length === 0) return '{}'
  return `{ ${Object.entries(value)
    .map(([key, one]) => `${key}: ${written(one)}`)
    .join(', ')} }`
}

if (import.meta.main) process.stdout.write(configurationPage())
