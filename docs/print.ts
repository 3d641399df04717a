/**
 * Writes the pages and pictures that are printed from the code: `npm run docs`. With `--check` it writes nothing, names those
 * that differ and exits with 1: `npm run docs:check`.
 */

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { printedSchema } from '../src/config/json-schema.ts'
import { commandsPage } from './print-commands.ts'
import { configurationPage } from './print-configuration.ts'
import { errorsPage } from './print-errors.ts'
import { metricsPage } from './print-metrics.ts'
import { pictures } from './print-timelines.ts'

const root = join(import.meta.dirname, '..')

const printed = new Map([
  ['docs/metrics.md', metricsPage()],
  ['docs/errors.md', errorsPage()],
  ['docs/commands.md', await commandsPage()],
  ['docs/configuration.md', configurationPage()],
  ['config/schema.json', printedSchema()],
  ...[...(await pictures())].map(([name, text]) => [`docs/images/${name}`, text] as const),
])

if (process.argv.includes('--check')) {
  const differing = [...printed].filter(([name, text]) => readFileSync(join(root, name), 'utf8') !== text)
  for (const [name] of differing) process.stderr.write(`${name} is not what the code says: npm run docs\n`)
  process.exitCode = differing.length === 0 ? 0 : 1
} else {
  for (const [name, text] of printed) writeFileSync(join(root, name), text)
}
