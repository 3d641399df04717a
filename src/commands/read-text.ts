import { readFileSync } from 'node:fs'

/** @returns the file's text, or why it cannot be read. */
export function readText(file: string): string | Error {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}
