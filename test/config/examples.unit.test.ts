import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { formatFaults } from '../../src/config/file/faults.ts'
import { loadConfig } from '../../src/config/load.ts'
import { formatWarnings, warningsOf } from '../../src/config/warnings.ts'

const root = join(import.meta.dirname, '../../config')
const examples = readdirSync(join(root, 'examples'))
const names = [
  ...examples.map((name) => `examples/${name}`),
  'compose/breakwater/proxy.yaml',
  'kubernetes/make-video/proxy.yaml',
]
const TOKEN = { BREAKWATER_TOKEN: '0123456789abcdef0123456789abcdef' }

test('there is an example for each way that it is run', () => {
  expect(examples).toEqual(['endpoints.yaml', 'minimal.yaml', 'redis.yaml'])
})

test.each(names)('%s loads as it is, without a fault or a warning, with no more than a token', (name) => {
  const environment = name.startsWith('examples/') ? {} : TOKEN
  const loaded = loadConfig(readFileSync(join(root, name), 'utf8'), name, environment)
  expect(loaded.ok ? formatWarnings(warningsOf(loaded.config, loaded.origins)) : formatFaults(loaded.faults)).toBe('')
})

test.each(names)('%s points the sidecar at no listener of its own, and editors at the schema', (name) => {
  const text = readFileSync(join(root, name), 'utf8')
  const [, schema = ''] = /^# yaml-language-server: \$schema=(.*)$/m.exec(text) ?? []
  expect(join(root, dirname(name), schema)).toBe(join(root, 'schema.json'))
  // The variables by which make-video itself finds its upstreams: in the same environment they name the sidecar.
  expect(text).not.toMatch(/url: \$\{(YOUTUBE_SEARCH|VIDEO_DOWNLOADER|AUDIO_TRANSCRIBER)_URL/)
})
