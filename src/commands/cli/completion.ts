/** Completion for shells, made from the commands' own options. */

import { type Command, command, type OptionShape } from '../command.ts'
import { UsageError } from '../usage-error.ts'
import type { Entry } from './entry.ts'
import { orList } from '../../config/file/suggest.ts'

/** Options whose value is a file. */
const FILES: ReadonlySet<string> = new Set([
  'against',
  'ca',
  'cert',
  'config',
  'file',
  'har',
  'html',
  'key',
  'log',
  'sample',
  'scenario',
])

type Described = { readonly name: string; readonly entry: Entry; readonly options: readonly OptionShape[] }

const SHELLS: Readonly<Record<string, (commands: readonly Described[]) => string>> = { bash, zsh, fish }

/** @param table all commands. */
export const completionOf = (table: ReadonlyMap<string, Entry>): Command =>
  command({
    name: 'completion',
    usage: `  breakwater completion ${Object.keys(SHELLS).join('|')}
                                   print a script that completes commands, options and files
`,
    options: {},
    allowPositionals: true,
    run: async (_values, [shell = '', ...others], { write }) => {
      const script = SHELLS[shell]
      if (script === undefined || others.length > 0) throw new UsageError(`expected ${orList(Object.keys(SHELLS))}`)
      write(script(await described(table)))
      return 0
    },
  })

/** Loads every command. */
const described = (table: ReadonlyMap<string, Entry>): Promise<Described[]> =>
  Promise.all([...table].map(async ([name, entry]) => ({ name, entry, options: (await entry.load()).options })))

const wordsOf = ({ takes }: Entry) => (takes === 'files' ? [] : takes)
const spelled = (options: readonly OptionShape[]) => [...options.map(({ name }) => `--${name}`), '--help']
const takesFile = ({ name }: OptionShape) => FILES.has(name)

function bash(commands: readonly Described[]): string {
  const names = [...commands.map(({ name }) => name), 'help', '--help', '--version'].join(' ')
  const valued = [...new Set(commands.flatMap(({ options }) => options.filter(({ hasValue }) => hasValue)))]
  const spelledOnce = (some: readonly OptionShape[]) => [...new Set(some.map(({ name }) => `--${name}`))].join('|')
  const cases = commands.map(
    ({ name, entry, options }) =>
      `    ${name}) options='${spelled(options).join(' ')}' words='${wordsOf(entry).join(' ')}' files='${entry.takes === 'files' ? 'yes' : ''}' ;;\n`,
  )
  return `# breakwater completion for bash: source <(breakwater completion bash)
_breakwater() {
  local current=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} options='' words='' files=''
  COMPREPLY=()
  if ((COMP_CWORD == 1)) || [[ \${COMP_WORDS[1]} == help ]]; then
    COMPREPLY=($(compgen -W '${names}' -- "$current"))
    return
  fi
  case $before in
    ${spelledOnce(valued.filter(takesFile))}) COMPREPLY=($(compgen -f -- "$current")); return ;;
    ${spelledOnce(valued.filter((option) => !takesFile(option)))}) return ;;
  esac
  case \${COMP_WORDS[1]} in
${cases.join('')}  esac
  if [[ $current == -* ]]; then
    COMPREPLY=($(compgen -W "$options" -- "$current"))
  else
    COMPREPLY=($(compgen -W "$words" -- "$current") $([[ -n $files ]] && compgen -f -- "$current"))
  fi
}
complete -o filenames -F _breakwater breakwater
`
}

function zsh(commands: readonly Described[]): string {
  const named = commands.map(({ name, entry }) => `    ${quoted(`${name}:${entry.about}`)}\n`)
  const cases = commands.map(({ name, entry, options }) => {
    const arguments_ = [
      ...options.map((option) => {
        const repeated = option.isMultiple ? '*' : ''
        const value = option.hasValue ? `:${option.name}:${takesFile(option) ? '_files' : ''}` : ''
        return quoted(`${repeated}--${option.name}${option.hasValue ? '=' : ''}${value}`)
      }),
      quoted('--help'),
      ...(entry.takes === 'files' ? [quoted('*:file:_files')] : []),
      ...(wordsOf(entry).length > 0 ? [quoted(`1:word:(${wordsOf(entry).join(' ')})`)] : []),
    ]
    return `    ${name}) _arguments ${arguments_.join(' ')} ;;\n`
  })
  return `#compdef breakwater
# breakwater completion for zsh: breakwater completion zsh > "\${fpath[1]}/_breakwater"
_breakwater() {
  local -a commands
  commands=(
${named.join('')}    'help:usage, options and examples of a command'
  )
  if ((CURRENT == 2)) || [[ $words[2] == help ]]; then
    _describe command commands
    return
  fi
  shift words
  ((CURRENT--))
  case $words[1] in
${cases.join('')}  esac
}
if [[ $funcstack[1] == _breakwater ]]; then _breakwater "$@"; else compdef _breakwater breakwater; fi
`
}

function fish(commands: readonly Described[]): string {
  const lines = commands.flatMap(({ name, entry, options }) => {
    const here = `complete -c breakwater -n '__fish_seen_subcommand_from ${name}'`
    return [
      `complete -c breakwater -n __fish_use_subcommand -a ${name} -d ${quoted(entry.about)}`,
      ...options.map(
        (option) => `${here} -l ${option.name}${option.hasValue ? ' -r' : ''}${takesFile(option) ? ' -F' : ''}`,
      ),
      ...(entry.takes === 'files' ? [`${here} -F`] : []),
      ...(wordsOf(entry).length > 0 ? [`${here} -a ${quoted(wordsOf(entry).join(' '))}`] : []),
    ]
  })
  return `# breakwater completion for fish: breakwater completion fish > ~/.config/fish/completions/breakwater.fish
complete -c breakwater -f
complete -c breakwater -l help -s h
complete -c breakwater -n __fish_use_subcommand -l version
complete -c breakwater -n __fish_use_subcommand -a help -d 'usage, options and examples of a command'
complete -c breakwater -n '__fish_seen_subcommand_from help' -a ${quoted(commands.map(({ name }) => name).join(' '))}
${lines.join('\n')}
`
}

/** One word for a shell. */
const quoted = (text: string) => `'${text.replaceAll("'", String.raw`'\''`)}'`
