/** A command as the table has it. */

import type { Command } from '../command.ts'

export type Entry = {
  /** What it does, in one line. */
  readonly about: string
  readonly load: () => Promise<Command>
  /** What its first positional may be: files, or one of some words. */
  readonly takes: 'files' | readonly string[]
  /** Command lines, each with what it is for. */
  readonly examples: readonly (readonly [line: string, what: string])[]
}
