/** The shape of a command: its name, usage, options and function. */

import { type ParseArgsOptionsConfig, parseArgs } from 'node:util'
import type { Terminal } from './terminal.ts'
import { UsageError } from './usage-error.ts'

/** What the process gives to a command. */
export type Surroundings = {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Version of the program. */
  readonly version: string
  readonly write: (text: string) => void
  /** Writes to stderr. */
  readonly complain: (text: string) => void
  /** Whether the output is a screen, so that a line may be overwritten. */
  readonly hasScreen: boolean
  readonly terminal: Terminal
}

export type Command = {
  readonly name: string
  /** The command's part of `breakwater --help`. */
  readonly usage: string
  /**
   * @returns the exit code.
   * @throws UsageError for arguments that the command does not accept.
   */
  readonly run: (args: string[], surroundings: Surroundings) => number | Promise<number>
}

type Parsed<O extends ParseArgsOptionsConfig> = ReturnType<typeof parseArgs<{ options: O; allowPositionals: boolean }>>

type Described<O extends ParseArgsOptionsConfig> = {
  readonly name: string
  readonly usage: string
  /** Options in the form of node's parseArgs. */
  readonly options: O
  /** Whether the command accepts positional arguments. */
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

/** The value of an environment variable that an option names. */
export function variable(option: string, name: string, { env }: Surroundings): string {
  const value = env[name]
  if (value === undefined) throw new UsageError(`${option}: ${name} is not set`)
  return value
}

/** Header fields as options give them: `name: value`. @returns name, value, name, value, … */
export function fieldsOf(options: readonly string[]): string[] {
  return options.flatMap((option) => {
    const [, name, value] = /^([^\s:]+):\s*(.*)$/.exec(option) ?? []
    if (name === undefined || value === undefined) throw new UsageError(`--header ${option}: expected NAME: VALUE`)
    return [name, value]
  })
}
