import { fileURLToPath } from 'node:url'
import type { Command } from './processes.ts'

/** The command that runs a script of this repository with the bench's own Node. @param url as returned by import.meta.resolve. */
export const nodeScript = (url: string, ...args: (string | number)[]): Command => ({
  file: process.execPath,
  args: [fileURLToPath(url), ...args.map(String)],
})
