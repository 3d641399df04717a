import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ADVICE } from '../../src/incidents/advice.ts'

const runbook = readFileSync(join(import.meta.dirname, '../../docs/runbook.md'), 'utf8')

test.each(Object.entries(ADVICE))('advice: the section %s of the runbook begins with the advice', (section, text) => {
  expect(runbook).toContain(`\n## ${section}\n\n**${text}**\n\n`)
})
