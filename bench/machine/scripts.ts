import { fileURLToPath } from 'node:url'
import type { Command } from './processes.ts'

/** A script of this repository, run by the Node that runs the bench. @param url as import.meta.resolve gives it. */
export const nodeScript = (url: string, ...args: (string | number)[]): Command => ({
  file: process.execPath,
  args: [fileURLToPath(url), ...args.map(String)],
})
