/** The shape of a command: its name, usage, options and function. */

import { type ParseArgsOptionsConfig, parseArgs } from 'node:util'
import { suggestion } from '../config/file/suggest.ts'
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
  /** All of stdin as text. */
  readonly input: () => string
  /** Whether the output is a screen, so that a line may be overwritten. */
  readonly hasScreen: boolean
  readonly terminal: Terminal
}

/** An option as completion knows it. */
export type OptionShape = { readonly name: string; readonly hasValue: boolean; readonly isMultiple: boolean }

export type Command = {
  readonly name: string
  /** Its command lines and what they do, as help prints them. */
  readonly usage: string
  readonly options: readonly OptionShape[]
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
  options: Object.entries(options).map(([option, { type, multiple = false }]) => ({
    name: option,
    hasValue: type === 'string',
    isMultiple: multiple,
  })),
  run: (args, surroundings) => {
    const { values, positionals } = parsed(args, options, allowPositionals)
    return run(values, positionals, surroundings)
  },
})

function parsed<O extends ParseArgsOptionsConfig>(args: string[], options: O, allowPositionals: boolean): Parsed<O> {
  try {
    return parseArgs({ args, options, allowPositionals })
  } catch (error) {
    throw new UsageError(unknownOption(args, options) ?? (error instanceof Error ? error.message : String(error)))
  }
}

/** Says what was meant by the first option that there is none of; undefined when all are known. */
function unknownOption(args: string[], options: ParseArgsOptionsConfig): string | undefined {
  const { tokens } = parseArgs({ args, options, strict: false, allowPositionals: true, tokens: true })
  const names = Object.keys(options)
  const unknown = tokens.find((token) => token.kind === 'option' && !names.includes(token.name))
  if (unknown?.kind !== 'option') return undefined
  const initial =
    unknown.name.length === 1 ? names.find((name) => name.startsWith(unknown.name.toLowerCase())) : undefined
  const meant = initial ?? suggestion(unknown.name, names)
  return `unknown option ${unknown.rawName}${meant === undefined ? '' : `, did you mean --${meant}?`}`
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

/** @throws UsageError for what is no number of 1 to 6 digits. */
export function wholeNumber(option: string, text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new UsageError(`${option}: expected a whole number such as 20`)
  return Number(text)
}
