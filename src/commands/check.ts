import { readFileSync } from 'node:fs'
import { formatFaults } from '../config/faults.ts'
import type { Env } from '../config/interpolate.ts'
import { loadConfig } from '../config/load.ts'

/** Lists every fault of a configuration file. @returns the exit code: 0 when it is sound, 2 when not or not readable. */
export function check(file: string, env: Env, write: (text: string) => void): number {
  const text = read(file)
  if (text instanceof Error) {
    write(`${file}: cannot be read: ${text.message}\n`)
    return 2
  }
  const loaded = loadConfig(text, file, env)
  if (!loaded.ok) {
    write(formatFaults(loaded.faults))
    return 2
  }
  const { upstreams } = loaded.config
  const routes = upstreams.reduce((sum, upstream) => sum + upstream.routes.length, 0)
  write(`${file}: ok, ${upstreams.length} upstreams, ${routes} routes\n`)
  return 0
}

function read(file: string): string | Error {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}
