import { statfs } from 'node:fs/promises'
import { Degraded } from './report.ts'

export type DiskSettings = { readonly path: string; readonly warnBelow: number; readonly failBelow: number }

/** Shares of a file system that stand in for limits that are larger than the whole of it. */
const SHARES = { warnBelow: 0.2, failBelow: 0.1 } as const

/** Free space for users without privileges, worded as make-video words it. */
export async function lookAtDisk({ path, warnBelow, failBelow }: DiskSettings): Promise<string> {
  const { bavail, blocks, bsize } = await statfs(path)
  return judgeDisk({ free: bavail * bsize, total: blocks * bsize }, { warnBelow, failBelow })
}

type Limits = Pick<DiskSettings, 'warnBelow' | 'failBelow'>

/**
 * A limit that no state of the file system could meet, such as 1 GB for a tmpfs of 256 MB, says nothing: a share of the whole
 * applies in its place, and the details say so.
 * @throws Degraded below warnBelow, Error below failBelow.
 */
export function judgeDisk({ free, total }: { readonly free: number; readonly total: number }, limits: Limits): string {
  const used = total === 0 ? 0 : ((total - free) / total) * 100
  const details = `${written(free)} free / ${written(total)} total (${used.toFixed(1)}% used)`
  const inForce = (name: keyof Limits) => {
    const asked = limits[name]
    if (asked < total) return { bytes: asked, note: '' }
    const bytes = total * SHARES[name]
    return { bytes, note: `, as ${name} of ${written(asked)} is more than there is` }
  }
  const [fail, warn] = [inForce('failBelow'), inForce('warnBelow')]
  if (free < fail.bytes) throw new Error(`${details}: less than ${written(fail.bytes)} free${fail.note}`)
  if (free < warn.bytes) throw new Degraded(`${details}: little, under ${written(warn.bytes)}${warn.note}`)
  return details
}

const written = (bytes: number) => (bytes < 1e9 ? `${Math.floor(bytes / 1e6)}MB` : `${(bytes / 1e9).toFixed(1)}GB`)
