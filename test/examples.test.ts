import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { formatFaults } from '../src/config/faults.ts'
import { loadConfig } from '../src/config/load.ts'
import { formatWarnings, warningsOf } from '../src/config/warnings.ts'

const folder = join(import.meta.dirname, '../config/examples')
const names = readdirSync(folder)

test('there is an example for each way that it is run', () => {
  expect(names).toEqual(['compose.yaml', 'endpoints.yaml', 'minimal.yaml', 'pod.yaml', 'redis.yaml'])
})

test.each(names)('%s loads as it is, without a fault or a warning, in an empty environment', (name) => {
  const loaded = loadConfig(readFileSync(join(folder, name), 'utf8'), name, {})
  expect(loaded.ok ? formatWarnings(warningsOf(loaded.config, loaded.origins)) : formatFaults(loaded.faults)).toBe('')
})

test.each(names)('%s points the sidecar at no listener of its own', (name) => {
  const text = readFileSync(join(folder, name), 'utf8')
  expect(text).toContain('$schema=../schema.json')
  // The variables by which make-video itself finds its upstreams: in the same environment they name the sidecar.
  expect(text).not.toMatch(/url: \$\{(YOUTUBE_SEARCH|VIDEO_DOWNLOADER|AUDIO_TRANSCRIBER)_URL/)
})
