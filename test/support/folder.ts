import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Scope } from './scripted-upstream.ts'

/** Makes a folder that is deleted after the test. */
export function temporaryFolder(t: Scope): string {
  const folder = mkdtempSync(join(tmpdir(), 'breakwater-test-'))
  t.onTestFinished(() => rmSync(folder, { recursive: true }))
  return folder
}
