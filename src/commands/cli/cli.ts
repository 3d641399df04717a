/** The command line: picks a command, answers for help, and says what was meant where it is mistyped. */

import { suggestion } from '../../config/file/suggest.ts'
import type { Surroundings } from '../command.ts'
import { UsageError } from '../usage-error.ts'
import { COMMANDS } from './commands.ts'
import type { Entry } from './entry.ts'
import { EXIT } from './exit-codes.ts'
import { helpOf, wholeHelp } from './help.ts'

/** Words of other products for a command. */
const SYNONYMS: Readonly<Record<string, string>> = {
  start: 'run',
  serve: 'run',
  validate: 'check',
  lint: 'check',
  test: 'check',
  watch: 'top',
  logs: 'tail',
  requests: 'tail',
  errors: 'failures',
  force: 'breaker',
  breakers: 'breaker',
  upstreams: 'status',
  ps: 'jobs',
  diff: 'config --diff',
}

/** @returns the exit code. */
export async function cli([name = '', ...args]: readonly string[], surroundings: Surroundings): Promise<number> {
  const { version, write, complain } = surroundings
  const print = (text: string) => {
    write(text)
    return EXIT.done
  }
  const refuse = (text: string) => {
    complain(text)
    return EXIT.faulty
  }
  if (name === '') return refuse(wholeHelp())
  if (name === '--version' || name === 'version') return print(`${version}\n`)
  const asksHelp = name === 'help' || isHelp(name)
  const [wanted] = asksHelp ? args.filter((arg) => !isHelp(arg)) : [name]
  if (wanted === undefined) return print(wholeHelp())
  const entry = COMMANDS.get(wanted)
  if (entry === undefined) return refuse(unknown(wanted))
  if (asksHelp || asksForHelp(args)) return print(helpOf(await entry.load(), entry))
  return await runOf(wanted, entry, [...args], surroundings)
}

async function runOf(name: string, entry: Entry, args: string[], surroundings: Surroundings): Promise<number> {
  const command = await entry.load()
  try {
    return await command.run(args, surroundings)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    const help = `\n${command.usage}\nbreakwater help ${name} has examples\n`
    surroundings.complain(`breakwater ${name}: ${error.message}\n${help}`)
    return EXIT.faulty
  }
}

const isHelp = (arg: string) => arg === '--help' || arg === '-h'

/** What follows `--` is no option. */
function asksForHelp(args: readonly string[]): boolean {
  const end = args.indexOf('--')
  return args.slice(0, end < 0 ? undefined : end).some(isHelp)
}

function unknown(word: string): string {
  const meant = SYNONYMS[word] ?? suggestion(word, [...COMMANDS.keys()])
  const hint = meant === undefined ? '' : `, did you mean ${meant}?`
  const what = word.startsWith('-') ? 'option' : 'command'
  return `breakwater: unknown ${what} ${word}${hint}\nbreakwater help lists the commands\n`
}
