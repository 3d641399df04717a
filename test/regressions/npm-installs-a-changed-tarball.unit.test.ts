/** `npm ci` compares a tarball with the `integrity` of its entry; where there is none, it installs whatever the registry sends. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

type Entry = { readonly version: string; readonly integrity?: string; readonly resolved?: string }

const lock: { packages: Record<string, Entry> } = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../package-lock.json'), 'utf8'),
)
const entries = Object.entries(lock.packages).filter(([path]) => path !== '')

test('package-lock.json: every package has its integrity', () => {
  expect(entries.length).toBeGreaterThan(100)
  expect(
    entries.filter(([, { integrity = '' }]) => !/^sha512-[\w+/]{86}==$/.test(integrity)).map(([path]) => path),
  ).toEqual([])
})

test('package-lock.json: no entry is tied to one registry', () => {
  expect(entries.filter(([, { resolved }]) => resolved !== undefined).map(([path]) => path)).toEqual([])
})
