/** Files of the embedded store: creates them, and sets malformed ones aside. */

import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'

/** Name of the database in the folder of a store. */
export const FILE_NAME = 'checkpoints.sqlite'

/** Largest number of files set aside. The newest are kept. */
const MAX_SET_ASIDE = 3

/** Files that SQLite keeps beside a database. */
const COMPANIONS = ['', '-wal', '-shm']

/**
 * Creates the folder of a file and those above it. Not by `recursive`, which never returns where no folder can be made (/proc).
 */
export function makeFolder(path: string): void {
  const folder = dirname(path)
  if (existsSync(folder)) return
  makeFolder(folder)
  mkdirSync(folder, { mode: 0o700 })
}

/**
 * Renames a malformed file to `<file>.malformed-<number>`, so that a new one can begin and a person can inspect the old one.
 * Numbers grow. @returns the new path.
 */
export function setAside(path: string): string {
  const numbers = setAsideBefore(path)
  const newest = `${path}.malformed-${(numbers.at(-1) ?? 0) + 1}`
  for (const suffix of COMPANIONS) if (existsSync(path + suffix)) renameSync(path + suffix, newest + suffix)
  for (const number of numbers.slice(0, Math.max(0, numbers.length + 1 - MAX_SET_ASIDE)))
    for (const suffix of COMPANIONS) rmSync(`${path}.malformed-${number}${suffix}`, { force: true })
  return newest
}

function setAsideBefore(path: string): number[] {
  const prefix = `${basename(path)}.malformed-`
  return readdirSync(dirname(join(path)))
    .filter((name) => name.startsWith(prefix) && /^\d+$/.test(name.slice(prefix.length)))
    .map((name) => Number(name.slice(prefix.length)))
    .sort((a, b) => a - b)
}
