/** Log files, as commands read them. */

import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'

/** @param file `-` for stdin. */
export const linesOf = (file: string): AsyncIterable<string> =>
  createInterface({ input: file === '-' ? process.stdin : createReadStream(file), crlfDelay: Infinity })

export const unreadable = (file: string, error: unknown): string =>
  `${file}: cannot be read: ${error instanceof Error ? error.message : String(error)}`
