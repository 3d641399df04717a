/** Keys of the format whose feature is not built yet: refused, never silently accepted. */

import { isMap } from './setting.ts'

export type Use = { readonly path: readonly (string | number)[]; readonly message: string }

type Rule = {
  /** Where it stands; `*` for any name or position. */
  readonly at: readonly string[]
  readonly feature: string
  /** The values that leave it off. */
  readonly off: (value: unknown) => boolean
}

const isFalse = (value: unknown) => value === false
const never = () => false

/** The levels that policies may stand at. */
const LEVELS = [['defaults'], ['upstreams', '*'], ['upstreams', '*', 'routes', '*']]

const rule = (at: readonly string[], feature: string, off: (value: unknown) => boolean): Rule => ({ at, feature, off })

const RULES: readonly Rule[] = [
  rule(['upstreams', '*', 'urls'], 'several endpoints', never),
  ...LEVELS.flatMap((level) => [
    rule([...level, 'concurrency', 'adaptive'], 'adaptive concurrency', isFalse),
    rule([...level, 'collapse'], 'collapse', isFalse),
    rule([...level, 'hedge'], 'hedge', isFalse),
  ]),
]

/** Every use of such a key in what a file says. */
export function unbuiltUses(file: unknown): Use[] {
  return RULES.flatMap(({ at, feature, off }) =>
    valuesAt(file, at, [])
      .filter(({ value }) => !off(value))
      .map(({ path }) => ({
        path,
        message: `${feature} is not built yet: remove this key, or wait for the release that has it`,
      })),
  )
}

type Found = { readonly path: readonly (string | number)[]; readonly value: unknown }

function valuesAt(value: unknown, at: readonly string[], path: readonly (string | number)[]): Found[] {
  const [key, ...rest] = at
  if (key === undefined) return value === undefined ? [] : [{ path, value }]
  if (Array.isArray(value)) return key === '*' ? value.flatMap((item, i) => valuesAt(item, rest, [...path, i])) : []
  if (!isMap(value)) return []
  const keys = key === '*' ? Object.keys(value) : [key]
  return keys.flatMap((name) => valuesAt(value[name], rest, [...path, name]))
}
