/** The files of the embedded store on disk: made, and set aside when they are malformed. */

import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'

/** Of those set aside, the newest are kept. */
const MAX_SET_ASIDE = 3

/** What SQLite keeps beside a database, under the same name. */
const COMPANIONS = ['', '-wal', '-shm']

/** Makes the folder of a file, and those above it. Not by `recursive`, which never ends where the system makes no folders (/proc). */
export function makeFolder(path: string): void {
  const folder = dirname(path)
  if (existsSync(folder)) return
  makeFolder(folder)
  mkdirSync(folder, { mode: 0o700 })
}

/**
 * Gives a malformed file a name of its own, `<file>.malformed-<number>`, so that a new one can be begun and a person can
 * look at the old one. The numbers go up. @returns the new name.
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
