import { open, unlink } from 'node:fs/promises'
import { join } from 'node:path'

/** Bytes on disk that can be read from any offset while the file grows. */
export type Spill = {
  readonly bytes: number
  append(chunk: Buffer): Promise<void>
  /** Up to 64 KiB from `offset`, which must have been appended. */
  read(offset: number): Promise<Buffer>
  close(): Promise<void>
}

const READ_BYTES = 64 * 1024

/**
 * Makes a temporary file and unlinks it at once, so that a crash leaves nothing behind.
 * @param folder of the file, which only its owner can read.
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
