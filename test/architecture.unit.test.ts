/** Checks the code against docs/architecture.md, and that some patterns occur only where they are allowed. */

import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '..')
const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((name) => /(?<!\.d)\.(ts|js)$/.test(name))
  .map((name) => ({ name: `src/${name}`, text: readFileSync(join(root, 'src', name), 'utf8') }))

type Row = { readonly room: string; readonly mayImport: readonly string[]; readonly mayNot: readonly string[] }

/** Table rows of docs/architecture.md: a folder or file (`room`) and what it may import. */
const rows: readonly Row[] = [
  ...readFileSync(join(root, 'docs/architecture.md'), 'utf8').matchAll(/^\| `(src\/[^`]+)` \| [^|]+ \|([^|]*)\|$/gm),
].map(([, room = '', cell = '']) => {
  const named = [...cell.matchAll(/`([^`]+)`/g)].map(([, path = '']) => path)
  const isAll = cell.trim().startsWith('all')
  return { room, mayImport: isAll ? ['src/'] : named, mayNot: isAll ? named : [] }
})

const MAX_FILES = 13
const LARGER: readonly string[] = ['src/commands', 'src/dashboard']

/** Patterns that may occur only in the files or folders of `only`. */
const BANS: readonly (readonly [pattern: RegExp, only: readonly string[], why: string])[] = [
  [
    /\b(setTimeout|setInterval|Date\.now|performance\.now|AbortSignal\.timeout)\b|new Date\(/,
    ['src/clock.ts', 'src/demo/', 'src/dashboard/page.js', 'src/dashboard/reader.js'],
    'time is injected: only clock.ts names timers and dates',
  ],
  [/\bMath\.random\b|\brandomUUID\b/, ['src/commands/', 'src/demo/'], 'chance and names are injected'],
  [/from 'undici'/, ['src/http2/'], 'only src/http2 names undici'],
  [
    /from 'ioredis'/,
    ['src/checkpoint/redis/client.ts', 'src/checkpoint/redis/connection.ts'],
    'only the client of Redis and its connection name ioredis',
  ],
  [/\bconsole\./, [], 'only the log writes'],
  [/process\.(stdout|stderr)/, ['src/main.ts', 'src/control/log/log.ts'], 'only main and the log write'],
  [
    /from 'node:(http|https|net|tls|fs)/,
    [
      'src/proxy/',
      'src/http1/',
      'src/control/',
      'src/checkpoint/',
      'src/commands/',
      'src/demo/',
      'src/http2/',
      'src/net/',
      'src/reload/',
      'src/fleet/',
      'src/runtime/data-plane.ts',
      'src/main.ts',
    ],
    'policies and configuration do no I/O',
  ],
  [/\bas any\b|: any\b|@ts-ignore|@ts-expect-error|biome-ignore/, [], 'types carry what is known'],
  [/import \{[^}]*\} from '[^']*\/trace\/tracing/, [], 'the code for traces is read only where there is a collector'],
  [
    /^import \{[^}]*\} from '[^']*\/http2\/(?!faults)/m,
    ['src/http2/'],
    'undici is read only where an upstream has http2: true',
  ],
  [/from '[^']*\/index\.ts'/, [], 'no barrel files'],
  [/\.\.\.[\w.#]*[eE]xchange\b(?!\.)/, [], 'an exchange is made by newExchange and fork alone'],
]

/** Static, dynamic and type imports of the repository's own files. */
const importsOf = (name: string, text: string) =>
  [...text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)].map(([, path = '']) => join(name, '..', path))

test('architecture: every file of src has a row in docs/architecture.md, and every row has files', () => {
  const homeless = sources.filter(({ name }) => !rows.some(({ room }) => name.startsWith(room)))
  expect(homeless.map(({ name }) => name)).toEqual([])
  const empty = rows.filter(({ room }) => !sources.some(({ name }) => name.startsWith(room)))
  expect(empty.map(({ room }) => room)).toEqual([])
})

test.each(rows)('architecture: $room imports only what docs/architecture.md allows', ({ room, mayImport, mayNot }) => {
  const wrong = sources
    .filter(({ name }) => name.startsWith(room))
    .flatMap(({ name, text }) => importsOf(name, text).map((imported) => ({ name, imported })))
    .filter(({ imported }) => ![room, ...mayImport].some((allowed) => imported.startsWith(allowed)))
  const banned = sources
    .filter(({ name }) => name.startsWith(room))
    .flatMap(({ name, text }) => importsOf(name, text).map((imported) => ({ name, imported })))
    .filter(({ imported }) => mayNot.some((path) => imported.startsWith(path)))
  expect([...wrong, ...banned]).toEqual([])
})

test('architecture: every import that docs/architecture.md allows is in use', () => {
  const unused = rows.flatMap(({ room, mayImport }) => {
    const imported = sources
      .filter(({ name }) => name.startsWith(room))
      .flatMap(({ name, text }) => importsOf(name, text))
    return mayImport
      .filter((path) => !imported.some((one) => one.startsWith(path)))
      .map((path) => `${room} does not import ${path}`)
  })
  expect(unused).toEqual([])
})

/** Policy files that code outside src/policy imports directly, and why; all other uses go through policies.ts. */
const NAMED_POLICIES: Readonly<Record<string, string>> = {
  'src/policy/failure-when/report.ts': 'what a rule would make of a sample, for check --sample',
  'src/policy/failure-when/source.ts': 'conditions of a job, for check --sample and for the bodies of a simulation',
  'src/policy/hold/settings.ts': 'the condition of a hold, for check --sample and for the bodies of a simulation',
  'src/policy/paths/group.ts': 'the paths that share a Retry-After, for explain',
  'src/policy/retry/backoff.ts': 'arithmetic of waits, for reconnecting and for Retry-After',
  'src/policy/retry/settings.ts': 'the methods that are safe to repeat, for learn',
  'src/policy/retry/starts.ts': 'the schedule of attempts, a section of its own in explain',
  'src/policy/deadline/limits.ts': 'the time limits, a section of its own in explain',
  'src/policy/deadline/timeouts.ts': 'the time limits, for the warnings of every policy',
  'src/policy/deadline/settings.ts': 'the default time limits, for learn',
  'src/policy/breaker/breaker.ts': "an operator's word to a breaker",
  'src/policy/breaker/breakers.ts': "an operator's word to a breaker, and probes that a health check allows",
}

test('architecture: code outside src/policy imports no policy file but those of NAMED_POLICIES', () => {
  const imported = sources
    .filter(({ name }) => !name.startsWith('src/policy/'))
    .flatMap(({ name, text }) => importsOf(name, text))
    .filter((path) => /^src\/policy\/[\w-]+\//.test(path))
  expect([...new Set(imported)].sort()).toEqual(Object.keys(NAMED_POLICIES).sort())
})

test('architecture: no imports form a cycle', () => {
  const graph = new Map(sources.map(({ name, text }) => [name, importsOf(name, text)]))
  const done = new Set<string>()
  const circles: string[] = []
  const walk = (name: string, way: readonly string[]) => {
    if (way.includes(name)) circles.push([...way.slice(way.indexOf(name)), name].join(' → '))
    if (way.includes(name) || done.has(name)) return
    for (const imported of graph.get(name) ?? []) walk(imported, [...way, name])
    done.add(name)
  }
  for (const name of graph.keys()) walk(name, [])
  expect(circles).toEqual([])
})

test(`architecture: no folder has more than ${MAX_FILES} files of code`, () => {
  const counts = Map.groupBy(sources, ({ name }) => dirname(name))
  const large = [...counts].filter(([folder, files]) => files.length > MAX_FILES && !LARGER.includes(folder))
  expect(large.map(([folder, files]) => `${folder}: ${files.length}`)).toEqual([])
})

test.each(BANS)('architecture: %s occurs only in the files allowed for it', (pattern, only, why) => {
  const wrong = sources
    .filter(({ name }) => !only.some((place) => name.startsWith(place)))
    .filter(({ text }) => pattern.test(text.replaceAll(/^\s*(\*|\/\/|\/\*\*).*$/gm, '')))
    .map(({ name }) => name)
  expect(wrong, why).toEqual([])
})
