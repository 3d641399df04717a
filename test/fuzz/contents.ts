/** Store contents that no sidecar has written. The sidecar still has to open, list, read and write the store. */

import { DatabaseSync } from 'node:sqlite'
import { readFileSync, writeFileSync } from 'node:fs'
import { ask } from '../support/client.ts'
import type { Chance } from './chance.ts'
import { unserved } from './control.ts'
import type { RunningSidecar } from './sidecar.ts'

/** Ends the search after this many findings: a store that is down answers every call late. */
const ENOUGH = 5

const CHECKPOINT = {
  stage: 'search',
  progress: 0.1,
  completed_items: 1,
  total_items: 10,
  item_ids: ['one'],
  metadata: {},
  timestamp: '2026-01-01T00:00:00.000Z',
}

/** Text of a record: with a wrong part, without a part, or no record at all. */
export function storedText(chance: Chance): string {
  const wrong: readonly unknown[] = [
    null,
    7,
    'x',
    [],
    {},
    [null],
    { a: 1 },
    1e300,
    -1,
    true,
    '\ud800',
    'x'.repeat(100_000),
  ]
  switch (chance.oneOf(['part', 'part', 'without', 'other', 'text', 'deep', 'cut'] as const)) {
    case 'part':
      return JSON.stringify({ ...CHECKPOINT, [chance.oneOf(Object.keys(CHECKPOINT))]: chance.oneOf(wrong) })
    case 'without':
      return JSON.stringify({ ...CHECKPOINT, [chance.oneOf(Object.keys(CHECKPOINT))]: undefined })
    case 'other':
      return JSON.stringify(chance.oneOf(wrong))
    case 'text':
      return chance.oneOf(['', '{', 'undefined', '\0', 'NaN', '{"stage":'])
    case 'deep': {
      const depth = chance.oneOf([100, 3_000, 20_000])
      return JSON.stringify(CHECKPOINT).replace('{}', `{"deep":${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}}`)
    }
    case 'cut': {
      const text = JSON.stringify(CHECKPOINT)
      return text.slice(0, chance.between(1, text.length - 1))
    }
  }
}

/** Adds rows to the tables of the sidecar. @returns the job ids of the new rows. */
export function addRows(file: string, chance: Chance): string[] {
  const database = new DatabaseSync(file)
  const jobs: string[] = []
  const later = Date.now() + 3_600_000
  for (let n = 0; n < 40; n += 1) {
    const job = chance.often(0.9) ? `row-${n}` : chance.oneOf(['', '.', '..', 'a/b', 'é', '\0', 'x'.repeat(500), '%'])
    const stage = chance.oneOf(['search', 'search', '', 'A', '\ud800'])
    const until = chance.oneOf([later, later, later, 'never', 9e15, 1.5e308])
    const number = () => chance.oneOf([1, 1, 0, -1, 9_007_199_254_740, 'x'])
    const text = storedText(chance)
    const content = chance.often(0.1) ? Buffer.from([0xff, 0xfe, chance.between(0, 255)]) : text
    database.prepare('INSERT OR REPLACE INTO heads VALUES (?, ?, ?, ?, ?)').run(job, stage, number(), number(), until)
    database.prepare('INSERT OR REPLACE INTO stages VALUES (?, ?, ?)').run(job, stage, content)
    database.prepare('INSERT OR REPLACE INTO jobs VALUES (?, ?, ?)').run(job, storedText(chance), until)
    jobs.push(job)
  }
  database.close()
  return jobs
}

/** Changes random bytes of a file, or truncates it. */
export function spoil(file: string, chance: Chance): void {
  const bytes = readFileSync(file)
  if (chance.often(0.3)) return writeFileSync(file, bytes.subarray(0, chance.between(1, bytes.length - 1)))
  const last = chance.often(0.5) ? 100 : bytes.length
  for (let n = chance.between(1, 60); n > 0; n -= 1) bytes[chance.between(0, last - 1)] = chance.between(0, 255)
  writeFileSync(file, bytes)
}

/**
 * Reads every record, one by one and in lists.
 * @param mayBeDown whether 503 is allowed.
 * @returns the findings.
 */
export async function readAll(sidecar: RunningSidecar, jobs: readonly string[], mayBeDown: boolean): Promise<string[]> {
  const url = `http://127.0.0.1:${sidecar.controlPort}`
  const paths = jobs.flatMap((job) => [
    `v1/checkpoints/${encodeURIComponent(job)}`,
    `v1/jobs/${encodeURIComponent(job)}`,
  ])
  const lists = [
    'v1/checkpoints',
    'v1/checkpoints?limit=1',
    'v1/checkpoints?stage=search',
    'v1/progress',
    'v1/jobs',
    'metrics',
  ]
  const findings: string[] = []
  for (const path of [...lists, ...paths, ...lists]) {
    if (findings.length > ENOUGH) break
    const answer = await ask(`${url}/${path}`)
    const isDown = answer.status === 503
    if (answer.status === 500 || (isDown && !mayBeDown))
      findings.push(`/${path}: ${answer.status} ${answer.body.toString().slice(0, 200)}`)
  }
  const traffic = await ask(`http://127.0.0.1:${sidecar.port}/nowhere`)
  if (traffic.status !== 404) findings.push(`a request to the shared listener is answered with ${traffic.status}`)
  return mayBeDown ? findings : [...findings, ...(await unserved(sidecar, url))]
}
