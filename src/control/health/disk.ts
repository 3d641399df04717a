import { statfs } from 'node:fs/promises'

export type DiskSettings = { readonly path: string; readonly warnBelow: number; readonly failBelow: number }

/** Free space for users without privileges, worded as make-video words it. */
export async function lookAtDisk({ path, warnBelow, failBelow }: DiskSettings): Promise<string> {
  const { bavail, blocks, bsize } = await statfs(path)
  const free = bavail * bsize
  const total = blocks * bsize
  const used = total === 0 ? 0 : ((total - free) / total) * 100
  const details = `${gigabytes(free)} free / ${gigabytes(total)} total (${used.toFixed(1)}% used)`
  if (free < failBelow) throw new Error(`${details}: less than ${gigabytes(failBelow)} free`)
  return free < warnBelow ? `${details}: little, under ${gigabytes(warnBelow)}` : details
}

const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)}GB`
