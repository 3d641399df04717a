import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '..')
const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((name) => /\.(ts|js)$/.test(name))
  .map((name) => ({ name: `src/${name}`, text: readFileSync(join(root, 'src', name), 'utf8') }))

/** What the files of a room may import from other rooms, beside themselves; libraries are not meant here. */
const ROOMS: readonly (readonly [room: string, mayImport: readonly string[]])[] = [
  ['src/policy/', ['src/clock', 'src/errors', 'src/job/']],
  ['src/job/', ['src/clock']],
  [
    'src/proxy/',
    [
      'src/policy/exchange',
      'src/policy/ending',
      'src/policy/fields',
      'src/policy/link',
      'src/policy/whole',
      'src/policy/events',
      'src/errors',
      'src/guard',
      'src/trust',
      'src/clock',
      'src/listen',
      'src/job/',
    ],
  ],
  ['src/checkpoint/', ['src/trust', 'src/clock', 'src/errors', 'src/job/', 'src/listen', 'src/percent']],
  [
    'src/control/',
    [
      'src/policy/events',
      'src/policy/backoff',
      'src/histogram',
      'src/errors',
      'src/trust',
      'src/clock',
      'src/listen',
      'src/loopback',
      'src/percent',
      'src/checkpoint/',
      'src/job/',
      'src/config/schema',
      'src/config/origins',
      'src/explain/',
    ],
  ],
  ['src/reload/', ['src/clock', 'src/config/', 'src/policy/events', 'src/policy/exchange']],
  ['src/dashboard/', []],
  ['src/top/', ['src/dashboard/']],
  ['src/explain/', ['src/config/', 'src/job/', 'src/policy/backoff', 'src/proxy/route']],
  [
    'src/config/',
    ['src/listen', 'src/loopback', 'src/percent', 'src/job/', 'src/checkpoint/place', 'src/policy/backoff'],
  ],
  [
    'src/simulate/',
    [
      'src/runtime',
      'src/carried',
      'src/histogram',
      'src/policy/',
      'src/proxy/route',
      'src/control/health/early-probes',
      'src/config/',
      'src/job/',
      'src/errors',
      'src/clock',
    ],
  ],
]

/** Patterns that stand in one place alone. */
const BANS: readonly (readonly [pattern: RegExp, only: readonly string[], why: string])[] = [
  [
    /\b(setTimeout|setInterval|Date\.now|performance\.now|AbortSignal\.timeout)\b|new Date\(/,
    ['src/clock.ts', 'src/demo/', 'src/dashboard/page.js', 'src/dashboard/reader.js'],
    'time is injected: only clock.ts names timers and dates',
  ],
  [/\bMath\.random\b|\brandomUUID\b/, ['src/commands/', 'src/demo/'], 'chance and names are injected'],
  [/from 'undici'/, ['src/proxy/transport.ts'], 'only transport.ts names undici'],
  [
    /from 'ioredis'/,
    ['src/checkpoint/redis-client.ts', 'src/checkpoint/redis-connection.ts'],
    'only the client of Redis and its connection name ioredis',
  ],
  [/\bconsole\./, [], 'only the log writes'],
  [/process\.(stdout|stderr)/, ['src/main.ts', 'src/control/log.ts'], 'only main and the log write'],
  [
    /from 'node:(http|https|net|tls|fs)/,
    [
      'src/proxy/',
      'src/control/',
      'src/checkpoint/',
      'src/commands/',
      'src/demo/',
      'src/reload/',
      'src/app.ts',
      'src/main.ts',
      'src/listen.ts',
      'src/loopback.ts',
      'src/trust.ts',
    ],
    'policies and configuration do no I/O',
  ],
  [/\bas any\b|: any\b|@ts-ignore|@ts-expect-error|biome-ignore/, [], 'types carry what is known'],
  [/import \{[^}]*\} from '[^']*\/trace\/tracing/, [], 'the code for traces is read only where there is a collector'],
  [/from '[^']*\/index\.ts'/, [], 'no barrel files'],
  [/\.\.\.[\w.#]*[eE]xchange\b(?!\.)/, [], 'an exchange is made by newExchange and fork alone'],
]

const importsOf = (name: string, text: string) =>
  [...text.matchAll(/from '(\.[^']+)'/g)].map(([, path = '']) => join(name, '..', path))

test.each(ROOMS)('%s imports only what it may', (room, mayImport) => {
  const wrong = sources
    .filter(({ name }) => name.startsWith(room))
    .flatMap(({ name, text }) => importsOf(name, text).map((imported) => ({ name, imported })))
    .filter(({ imported }) => ![room, ...mayImport].some((allowed) => imported.startsWith(allowed)))
  expect(wrong).toEqual([])
})

test.each(BANS)('%s only where it belongs', (pattern, only, why) => {
  const wrong = sources
    .filter(({ name }) => !only.some((place) => name.startsWith(place)))
    .filter(({ text }) => pattern.test(text.replaceAll(/^\s*(\*|\/\/|\/\*\*).*$/gm, '')))
    .map(({ name }) => name)
  expect(wrong, why).toEqual([])
})

test('nothing imports main.ts, and the rules above see the whole house', () => {
  expect(sources.filter(({ name, text }) => importsOf(name, text).includes('src/main.ts'))).toEqual([])
  expect(sources.length).toBeGreaterThan(25)
})
