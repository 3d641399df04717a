import { createHash } from 'node:crypto'

/** The first digits of the file's SHA-256, as `sha256sum` prints it. */
export const versionOf = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 12)
