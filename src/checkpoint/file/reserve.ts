/** Disk space kept for the calls that free some: on a full disk even a deletion needs room, for SQLite's log. */

import { randomFillSync } from 'node:crypto'
import { dirname } from 'node:path'
import { rmSync, statfsSync, statSync, writeFileSync } from 'node:fs'

/** Size in bytes: as much as SQLite's log before it is moved into the file (1,000 pages), and more than a deletion needs. */
const RESERVE_BYTES = 4 * 1024 * 1024

export class DiskReserve {
  readonly #path: string

  /** @param path of the database. */
  constructor(path: string) {
    this.#path = `${path}.reserve`
  }

  /** Takes the space where there is plenty. A reserve that is too small helps nobody: it is given up. */
  take(): void {
    if (statSync(this.#path, { throwIfNoEntry: false })?.size === RESERVE_BYTES) return
    if (freeBytes(dirname(this.#path)) < 2 * RESERVE_BYTES) return
    try {
      // Random bytes: a file system that compresses would keep nothing for others.
      writeFileSync(this.#path, randomFillSync(Buffer.alloc(RESERVE_BYTES)), { mode: 0o600 })
    } catch {
      this.release() // the disk is full; taken again once something was deleted
    }
  }

  release(): void {
    rmSync(this.#path, { force: true })
  }
}

/** Free space of the path's file system. */
export function freeBytes(path: string): number {
  const { bavail, bsize } = statfsSync(path)
  return bavail * bsize
}
