import { open, unlink } from 'node:fs/promises'
import { join } from 'node:path'

/** Bytes set aside on disk, readable from any offset while they grow. */
export type Spill = {
  readonly bytes: number
  append(chunk: Buffer): Promise<void>
  /** Up to 64 KiB from `offset`; to be asked only for what has been appended. */
  read(offset: number): Promise<Buffer>
  close(): Promise<void>
}

const READ_BYTES = 64 * 1024

/**
 * A temporary file that has no name: unlinked as soon as it is open, so that nothing is left behind by a crash.
 * @param folder where it is made, readable by its owner alone.
 */
export async function openSpill(folder: string, name: string): Promise<Spill> {
  const path = join(folder, `breakwater-${name}.body`)
  const file = await open(path, 'wx+', 0o600)
  await unlink(path)
  let bytes = 0
  return {
    get bytes() {
      return bytes
    },
    async append(chunk) {
      let written = 0
      while (written < chunk.length) {
        const { bytesWritten } = await file.write(chunk, written, chunk.length - written, bytes)
        written += bytesWritten
        bytes += bytesWritten
      }
    },
    async read(offset) {
      const length = Math.min(READ_BYTES, bytes - offset)
      const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(length), 0, length, offset)
      return buffer.subarray(0, bytesRead)
    },
    close: () => file.close(),
  }
}
