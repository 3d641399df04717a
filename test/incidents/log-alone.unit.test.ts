import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { commandLine } from '../support/captured.ts'
import { temporaryFolder } from '../support/folder.ts'

test('incidents --log: says what a log of warnings alone cannot tell, and as of when it tells the rest', async (t) => {
  const log = join(temporaryFolder(t), 'warnings.jsonl')
  const open = { upstream: 'web', from: 'closed', to: 'open', cause: 'consecutive', failure: '503', open_ms: 60_000 }
  writeFileSync(
    log,
    [
      { level: 'warn', time: '2026-01-01T03:00:00.000Z', ...open, msg: 'breaker open' },
      { level: 'warn', time: '2026-01-01T03:00:10.000Z', ms: 120, msg: 'loop stalled' },
    ]
      .map((line) => `${JSON.stringify(line)}\n`)
      .join(''),
  )
  const { stdout, stderr } = await commandLine(['incidents', '--log', log])
  expect(stderr.split('\n')).toEqual([
    'breakwater: the log has no requests: with log.access off, causes and cost are not known',
    'breakwater: the log has no lines of level info: the ends of incidents are not known, nor requests that went well',
    'breakwater: what goes on is told as of the last line, 2026-01-01T03:00:10.000Z',
    '',
  ])
  expect(stdout).toContain('web is down (the breaker opened after failures in a row, the last: 503).')
})
