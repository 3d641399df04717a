import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { temporaryFolder } from '../support/folder.ts'
import type { Scope } from '../support/scripted-upstream.ts'
import { run } from './programs.ts'

export type Transfer = {
  readonly status: number
  readonly version: string
  /** Connections that were opened for it. */
  readonly connects: number
  readonly fields: Readonly<Record<string, readonly string[]>>
  readonly body: Buffer
}

/**
 * One call of curl, with a URL for each target.
 * @param input file that curl reads as stdin.
 * @returns the transfers, and what `-v` wrote.
 */
export async function curl(
  t: Scope,
  base: string,
  targets: readonly string[],
  args: readonly string[] = [],
  input = '/dev/null',
): Promise<{ transfers: readonly Transfer[]; told: string }> {
  const folder = temporaryFolder(t)
  const fileOf = (i: number) => join(folder, `${i}`)
  const urls = targets.flatMap((target, i) => ['-o', fileOf(i), `${base}${target}`])
  const written = ['-w', '%{json}\n%{header_json}\u0001']
  const { stdout, stderr } = await run('sh', [
    '-c',
    'exec curl "$@" <"$0"',
    input,
    '-sSv',
    '--max-time',
    '12',
    ...written,
    ...args,
    ...urls,
  ])
  const transfers = stdout
    .split('\u0001')
    .slice(0, -1)
    .map((text, i) => {
      const [json = '', ...headers] = text.trimStart().split('\n')
      const { http_code: status, http_version: version, num_connects: connects } = JSON.parse(json)
      return { status, version, connects, fields: JSON.parse(headers.join('\n')), body: bodyOf(fileOf(i)) }
    })
  return { transfers, told: stderr }
}

/** curl makes no file for an answer without a body. */
function bodyOf(file: string): Buffer {
  try {
    return readFileSync(file)
  } catch {
    return Buffer.alloc(0)
  }
}
