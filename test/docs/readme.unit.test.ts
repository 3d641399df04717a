import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { errorsPage } from '../../docs/print-errors.ts'
import { loadConfig } from '../../src/config/load.ts'

const root = join(import.meta.dirname, '../..')
const read = (name: string) => readFileSync(join(root, name), 'utf8')

test('docs/errors.md is up to date with the table of faults', () => {
  expect(read('docs/errors.md')).toBe(errorsPage())
})

test('README: at most 900 words', () => {
  const words = read('README.md')
    .split(/\s+/)
    .filter((word) => word !== '')
  expect(words.length).toBeLessThanOrEqual(900)
})

/** The configurations on a page. YAML blocks with an `apiVersion` are Kubernetes objects and left out. */
const configurationsOn = (name: string) =>
  [...read(name).matchAll(/```yaml\n([\s\S]*?)```/g)]
    .map(([, text = '']) => text)
    .filter((text) => !/^apiVersion:/m.test(text))

test('configurations of README and three guides load, and docs/configuring.md shows the true defaults', () => {
  const all = ['README.md', 'docs/configuring.md', 'docs/checkpoints.md', 'docs/tracing.md'].flatMap(configurationsOn)
  expect(all).toHaveLength(6)
  for (const text of all) expect(loadConfig(text, 'README', {})).toMatchObject({ ok: true })
  const [, full = ''] = configurationsOn('docs/configuring.md')
  const shown = loadConfig(full, 'docs/configuring.md', {})
  const bare = loadConfig('upstreams: { api: { url: http://api:8000 } }', 'bare', {})
  if (!shown.ok || !bare.ok) throw new Error('a configuration in docs/configuring.md is faulty')
  expect({ ...shown.config.upstreams[0], routes: [] }).toEqual(bare.config.upstreams[0])
})

const pagesIn = (folder: string) => readdirSync(join(root, folder)).map((name) => `${folder}/${name}`)

const policies = pagesIn('docs/policies').filter((name) => !name.endsWith('README.md'))

test.each(policies)('the configurations on %s load', (name) => {
  const all = [...read(name).matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, text = '']) => text)
  for (const text of all) expect(loadConfig(text, name, {})).toMatchObject({ ok: true })
  expect(all.length).toBeGreaterThan(0)
})

const guides = readdirSync(join(root, 'docs'))
  .filter((name) => name.endsWith('.md'))
  .map((name) => `docs/${name}`)

/** docs/configuration.md shows only the first line of a configuration file, which is for editors. */
test.each(guides.filter((name) => name !== 'docs/configuration.md' && name !== 'docs/simulate.md'))(
  'the configurations on %s load',
  (name) => {
    for (const text of configurationsOn(name)) expect(loadConfig(text, name, {})).toMatchObject({ ok: true })
  },
)

const linked = [
  'README.md',
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  ...guides,
  ...pagesIn('docs/decisions'),
  ...pagesIn('docs/guides'),
  ...pagesIn('docs/policies'),
]

test.each(linked)('every file that %s links to or names exists', (name) => {
  const links = [...read(name).matchAll(/\]\(([^)#:]+)\)/g)].map(([, to = '']) => to)
  const sources = [...read(name).matchAll(/`((?:src|test|bench|bin)\/[\w./-]+)`/g)].map(([, to = '']) => to)
  const missing = [
    ...links.filter((to) => !existsSync(join(root, dirname(name), to))),
    ...sources.filter((to) => !existsSync(join(root, to))),
  ]
  expect(missing).toEqual([])
})

/** A heading's anchor as GitHub makes it. */
const anchorOf = (heading: string) =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-')

test.each(linked)('every section that %s links to exists', (name) => {
  const missing = [...read(name).matchAll(/\]\(([^)#:]*)#([^)]+)\)/g)].filter(([, to = '', anchor = '']) => {
    const page = to === '' ? name : join(dirname(name), to)
    const headings = existsSync(join(root, page)) ? [...read(page).matchAll(/^#+ (.+)$/gm)] : []
    return !headings.some(([, heading = '']) => anchorOf(heading) === anchor)
  })
  expect(missing.map(([link]) => link)).toEqual([])
})

test('docs/README.md: the index links to every page of docs', () => {
  const index = read('docs/README.md')
  const unlisted = guides.filter((name) => name !== 'docs/README.md' && !index.includes(`](${name.slice(5)})`))
  expect(unlisted).toEqual([])
})

test('package.json pins one Node version for every platform, and this process runs it', () => {
  const { optionalDependencies } = JSON.parse(read('package.json'))
  expect(new Set(Object.values(optionalDependencies))).toEqual(new Set([process.versions.node]))
})
