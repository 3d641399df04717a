/** Checks docs/waits.md: it lists every file that waits, and all names on it exist. */

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { METRICS } from '../src/control/metrics/metric-table.ts'

const root = join(import.meta.dirname, '..')
const read = (name: string) => readFileSync(join(root, name), 'utf8')
const page = read('docs/waits.md')
const named = (pattern: RegExp) => [...page.matchAll(pattern)].map(([, name = '']) => name)

/** Folders whose waits end with the command or the test that began them. */
const NOT_SERVING = /^src\/(?:simulate|demo|config|explain|top|commands|dashboard)\//

test('waits: each file that makes a timer or a promise by hand is on the page', () => {
  const waiting = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .map((name) => `src/${name}`)
    .filter((name) => name.endsWith('.ts') && !NOT_SERVING.test(name))
    .filter((name) => /clock\.after\(|new Watchdog\(|new Promise|withResolvers/.test(read(name)))
  expect(waiting.filter((name) => !page.includes(`\`${name}\``))).toEqual([])
})

test('waits: each file, key and metric on the page exists', () => {
  expect(named(/`(src\/[\w./-]+)`/g).filter((name) => !existsSync(join(root, name)))).toEqual([])
  const metrics = new Set(Object.values(METRICS).map(({ name }) => name))
  expect(named(/`(breakwater_\w+)`/g).filter((name) => !metrics.has(name as never))).toEqual([])
  const configuration = read('docs/configuration.md')
  const keys = named(/`([a-z][a-zA-Z]*(?:\.[a-zA-Z]+)+)`/g)
  expect(keys.filter((key) => !configuration.includes(`\`${key}\``))).toEqual([])
  expect(keys.length).toBeGreaterThan(20)
})
