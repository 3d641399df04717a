/** Classifies SQLite's errors: about the file, or about one call. */

/** Primary result codes (sqlite.org/rescode.html): the file is in use, cannot be read or written, or is malformed. */
const DISK_FAULTS: ReadonlySet<number> = new Set([5, 6, 7, 8, 10, 11, 13, 14, 15, 26])
const IN_USE: ReadonlySet<number> = new Set([5, 6])
const MALFORMED: ReadonlySet<number> = new Set([11, 26])

export const isDiskFault = (error: unknown) => DISK_FAULTS.has(resultCodeOf(error))

/** Whether another process has the file open. */
export const isInUse = (error: unknown) => IN_USE.has(resultCodeOf(error))

/** Whether the file is not a database, or is damaged. */
export const isMalformed = (error: unknown) => MALFORMED.has(resultCodeOf(error))

/** Extended codes have the primary one in their lowest byte. */
function resultCodeOf(error: unknown): number {
  return error instanceof Error && 'errcode' in error && typeof error.errcode === 'number' ? error.errcode & 0xff : 0
}
