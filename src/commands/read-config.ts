import { formatFaults } from '../config/file/faults.ts'
import type { Env } from '../config/file/interpolate.ts'
import { type Loaded, loadConfig } from '../config/load.ts'
import { readText } from './read-text.ts'

type Read = Extract<Loaded, { ok: true }> & { readonly text: string }

/** @returns a sound configuration and its text, or what to tell whoever named the file. */
export function readConfig(file: string, env: Env): Read | string {
  const text = readText(file)
  if (text instanceof Error) return `breakwater: cannot read ${file}: ${text.message}\n`
  const loaded = loadConfig(text, file, env)
  return loaded.ok ? { ...loaded, text } : formatFaults(loaded.faults)
}
