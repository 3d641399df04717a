/** Help: of the whole command line, and of one command with its examples. */

import type { Command } from '../command.ts'
import { GROUPS } from './commands.ts'
import type { Entry } from './entry.ts'
import { EXIT_CODES } from './exit-codes.ts'

const WIDTH = 14

export function wholeHelp(): string {
  const groups = GROUPS.map(
    ({ title, commands }) =>
      `${title}\n${Object.entries(commands)
        .map(([name, { about }]) => `  ${name.padEnd(WIDTH)}${about}\n`)
        .join('')}\n`,
  )
  return `breakwater: an HTTP resilience sidecar

${groups.join('')}breakwater help COMMAND    usage, options and examples of a command
breakwater --version

exit codes
${EXIT_CODES.map(([code, what]) => `  ${code}  ${what}\n`).join('')}`
}

export function helpOf({ usage }: Command, { about, examples }: Entry): string {
  const width = Math.max(...examples.map(([line]) => line.length))
  const lines = examples.map(([line, what]) => `  ${line.padEnd(width)}   # ${what}\n`)
  return `${about}\n\n${usage}\nexamples\n${lines.join('')}`
}
