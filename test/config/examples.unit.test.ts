import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { formatFaults } from '../../src/config/file/faults.ts'
import { loadConfig } from '../../src/config/load.ts'
import { formatWarnings, warningsOf } from '../../src/config/warnings.ts'

const root = join(import.meta.dirname, '../../config')
const examples = readdirSync(join(root, 'examples'), { recursive: true, encoding: 'utf8' }).filter((name) =>
  name.endsWith('.yaml'),
)
const names = [
  ...examples.map((name) => `examples/${name}`),
  'compose/breakwater/proxy.yaml',
  'kubernetes/make-video/proxy.yaml',
]
const TOKEN = { BREAKWATER_TOKEN: '0123456789abcdef0123456789abcdef' }

test('config/examples has endpoints.yaml, minimal.yaml, redis.yaml and sixteen APIs', () => {
  expect(examples.filter((name) => !name.startsWith('apis/')).sort()).toEqual([
    'endpoints.yaml',
    'minimal.yaml',
    'redis.yaml',
  ])
  expect(examples.filter((name) => name.startsWith('apis/'))).toHaveLength(16)
})

test.each(names)('%s loads without faults or warnings, with no environment variable but the token', (name) => {
  const environment = name.startsWith('examples/') ? {} : TOKEN
  const loaded = loadConfig(readFileSync(join(root, name), 'utf8'), name, environment)
  expect(loaded.ok ? formatWarnings(warningsOf(loaded.config, loaded.origins)) : formatFaults(loaded.faults)).toBe('')
})

test.each(names)(
  '%s names its schema for editors, and takes no url from a variable that points at the sidecar',
  (name) => {
    const text = readFileSync(join(root, name), 'utf8')
    const [, schema = ''] = /^# yaml-language-server: \$schema=(.*)$/m.exec(text) ?? []
    expect(join(root, dirname(name), schema)).toBe(join(root, 'schema.json'))
    // make-video finds its upstreams by these variables. In its environment they hold the sidecar's own listeners.
    expect(text).not.toMatch(/url: \$\{(YOUTUBE_SEARCH|VIDEO_DOWNLOADER|AUDIO_TRANSCRIBER)_URL/)
  },
)
