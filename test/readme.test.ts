import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { errorsPage } from '../docs/print-errors.ts'
import { loadConfig } from '../src/config/load.ts'

const root = join(import.meta.dirname, '..')
const read = (name: string) => readFileSync(join(root, name), 'utf8')

test('docs/errors.md is printed from the table of faults', () => {
  expect(read('docs/errors.md')).toBe(errorsPage())
})

test("the README's configurations load, and its defaults are the defaults", () => {
  const all = [...read('README.md').matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, text = '']) => text)
  expect(all).toHaveLength(4)
  for (const text of all) expect(loadConfig(text, 'README', {})).toMatchObject({ ok: true })
  const [, full = ''] = all
  const shown = loadConfig(full, 'README', {})
  const bare = loadConfig('upstreams: { api: { url: http://api:8000 } }', 'bare', {})
  if (!shown.ok || !bare.ok) throw new Error('a configuration in the README is faulty')
  expect({ ...shown.config.upstreams[0], routes: [] }).toEqual(bare.config.upstreams[0])
})

const pagesIn = (folder: string) => readdirSync(join(root, folder)).map((name) => `${folder}/${name}`)

const policies = pagesIn('docs/policies').filter((name) => !name.endsWith('README.md'))

test.each(policies)('the configurations on %s load', (name) => {
  const all = [...read(name).matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, text = '']) => text)
  for (const text of all) expect(loadConfig(text, name, {})).toMatchObject({ ok: true })
  expect(all.length).toBeGreaterThan(0)
})

test.each([
  'README.md',
  'CHANGELOG.md',
  'docs/comparison.md',
  ...pagesIn('docs/decisions'),
  ...pagesIn('docs/guides'),
  ...pagesIn('docs/policies'),
])('what %s links to or names is there', (name) => {
  const links = [...read(name).matchAll(/\]\(([^)#:]+)\)/g)].map(([, to = '']) => to)
  const sources = [...read(name).matchAll(/`((?:src|test|bench|bin)\/[\w./-]+)`/g)].map(([, to = '']) => to)
  const missing = [
    ...links.filter((to) => !existsSync(join(root, dirname(name), to))),
    ...sources.filter((to) => !existsSync(join(root, to))),
  ]
  expect(missing).toEqual([])
})

test('the Node for every platform is the same version, and the one that runs this', () => {
  const { optionalDependencies } = JSON.parse(read('package.json'))
  expect(new Set(Object.values(optionalDependencies))).toEqual(new Set([process.versions.node]))
})
