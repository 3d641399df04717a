import { readFileSync, statfsSync } from 'node:fs'
import { formatFaults } from '../config/file/faults.ts'
import type { Env } from '../config/file/interpolate.ts'
import { type Loaded, loadConfig } from '../config/load.ts'

type Read = Extract<Loaded, { ok: true }> & { readonly text: string }

/** @returns a sound configuration with its text, or the message to print. */
export function readConfig(file: string, env: Env): Read | string {
  const text = readText(file)
  if (text instanceof Error) return `breakwater: cannot read ${file}: ${text.message}\n`
  const loaded = loadConfig(text, file, env)
  return loaded.ok ? { ...loaded, text } : formatFaults(loaded.faults)
}

/** @returns the file's text, or why it cannot be read. */
export function readText(file: string): string | Error {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}

/** For the warnings; infinite for a path that is not on this machine, which may not be the one that the file is for. */
export function diskBytes(path: string): number {
  try {
    const { blocks, bsize } = statfsSync(path)
    return blocks === 0 ? Number.POSITIVE_INFINITY : blocks * bsize
  } catch {
    return Number.POSITIVE_INFINITY
  }
}
