/** Shape of a command: what it is called, what it takes, and what it does. */

import { type ParseArgsOptionsConfig, parseArgs } from 'node:util'
import type { Terminal } from './terminal.ts'
import { UsageError } from './usage-error.ts'

/** What the process gives a command. */
export type Surroundings = {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Of the program. */
  readonly version: string
  readonly write: (text: string) => void
  /** Writes to stderr. */
  readonly complain: (text: string) => void
  /** Whether what is written is on a screen, so that a line may be written over. */
  readonly hasScreen: boolean
  readonly terminal: Terminal
}

export type Command = {
  readonly name: string
  /** Its part of `breakwater --help`. */
  readonly usage: string
  /**
   * @returns the exit code.
   * @throws UsageError for arguments that it does not take.
   */
  readonly run: (args: string[], surroundings: Surroundings) => number | Promise<number>
}

type Parsed<O extends ParseArgsOptionsConfig> = ReturnType<typeof parseArgs<{ options: O; allowPositionals: boolean }>>

type Described<O extends ParseArgsOptionsConfig> = {
  readonly name: string
  readonly usage: string
  /** Its options, as node's parseArgs takes them. */
  readonly options: O
  /** Whether it takes arguments that are no options. */
  readonly allowPositionals: boolean
  readonly run: (
    values: Parsed<O>['values'],
    positionals: readonly string[],
    surroundings: Surroundings,
  ) => number | Promise<number>
}

export const command = <O extends ParseArgsOptionsConfig>({
  name,
  usage,
  options,
  allowPositionals,
  run,
}: Described<O>): Command => ({
  name,
  usage,
  run: (args, surroundings) => {
    const { values, positionals } = parsed(args, options, allowPositionals)
    return run(values, positionals, surroundings)
  },
})

function parsed<O extends ParseArgsOptionsConfig>(args: string[], options: O, allowPositionals: boolean): Parsed<O> {
  try {
    return parseArgs({ args, options, allowPositionals })
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

/** The value of a variable of the environment that an option names. */
export function variable(option: string, name: string, { env }: Surroundings): string {
  const value = env[name]
  if (value === undefined) throw new UsageError(`${option}: ${name} is not set`)
  return value
}
