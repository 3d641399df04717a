/** Values of header fields that files hold, such as mounted Secrets. They are read again when their file changes. */

import { isFieldValue } from '../config/fields.ts'
import type { Emit } from '../events.ts'
import type { ValueSource } from '../proxy/fields/rules.ts'

/** What the process lends: reading a file, and noticing its changes. */
export type FileAccess = {
  /** Throws when the file cannot be read. */
  readonly readText: (path: string) => string
  /** @param onChange may also be called without a change. */
  readonly watchFile: (path: string, onChange: () => void) => { close(): void }
}

type Held = {
  value: string
  /** Whether it was told that the file cannot be read. */
  isLost: boolean
}

/** By path. */
type HeldValues = ReadonlyMap<string, Readonly<Held>>

/** Longest value in characters. Larger fields do not fit into a head. */
const MAX_CHARS = 16 * 1024

/** The files of one generation. Those of the generation before stay unchanged until this one is in force. */
export class SecretFiles {
  readonly #access: FileAccess
  readonly #emit: Emit
  readonly #before: HeldValues
  readonly #held = new Map<string, Held>()
  readonly #watches: { close(): void }[] = []

  /** @param before values of the generation in force. */
  constructor(access: FileAccess, emit: Emit, before: HeldValues) {
    this.#access = access
    this.#emit = emit
    this.#before = before
  }

  get held(): HeldValues {
    return this.#held
  }

  /**
   * The value that a file holds, without a final line break. A file that was read before and cannot be read now keeps its last
   * value; the watch tells of that.
   * @param key of the configuration, for the error. @throws Error naming the key for a file that cannot be read.
   */
  sourceOf(path: string, key: string): ValueSource {
    const known = this.#held.get(path)
    if (known !== undefined) return known
    const earlier = this.#before.get(path)
    const held = { value: this.#first(path, key, earlier?.value), isLost: earlier?.isLost ?? false }
    this.#held.set(path, held)
    return held
  }

  /** Watches the files, once the generation is in force. */
  begin(): void {
    for (const [path, held] of this.#held)
      this.#watches.push(this.#access.watchFile(path, () => this.#update(path, held)))
  }

  close(): void {
    for (const watch of this.#watches.splice(0)) watch.close()
  }

  #first(path: string, key: string, last: string | undefined): string {
    try {
      return this.#read(path)
    } catch (error) {
      if (last !== undefined) return last
      throw new Error(`${key}: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
    }
  }

  #update(path: string, held: Held): void {
    try {
      const value = this.#read(path)
      if (held.isLost || value !== held.value)
        this.#emit({ kind: 'secret_file', path, outcome: 'read', error: undefined })
      held.value = value
      held.isLost = false
    } catch (error) {
      if (!held.isLost) this.#emit({ kind: 'secret_file', path, outcome: 'kept', error })
      held.isLost = true
    }
  }

  /** Errors have the path, never the content. */
  #read(path: string): string {
    const value = this.#access.readText(path).replace(/\r?\n$/, '')
    if (value === '') throw new Error(`${path} is empty`)
    if (value.length > MAX_CHARS || !isFieldValue(value))
      throw new Error(`${path} has no header value: one line without control characters or blanks at its ends`)
    return value
  }
}
