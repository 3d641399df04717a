import { type ConfigFault, formatFaults } from '../config/file/faults.ts'
import type { Env } from '../config/file/interpolate.ts'
import { loadConfig } from '../config/load.ts'
import type { Config } from '../config/schema.ts'
import { type ConfigWarning, formatWarnings, RULE_NAMES, warningsOf } from '../config/warnings.ts'
import { command } from './command.ts'
import { UsageError } from './usage-error.ts'
import { readText } from './read-config.ts'

type CheckOptions = {
  readonly file: string
  /** Whether warnings make it fail. */
  readonly strict: boolean
  /** Whether to print JSON. */
  readonly json: boolean
  /** Names of warnings to leave out. */
  readonly allowed: readonly string[]
}

export const checkCommand = command({
  name: 'check',
  usage: `  breakwater check FILE [--strict] [--json] [--allow WARNING]…
                                   list the faults of a configuration file; when it has none, its warnings
`,
  options: {
    strict: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    allow: { type: 'string', multiple: true },
  },
  allowPositionals: true,
  run: ({ strict, json, allow = [] }, [file, ...others], { env, write }) => {
    if (file === undefined || others.length > 0) throw new UsageError('expected one file')
    return check({ file, strict, json, allowed: allow }, env, write)
  },
})

type Verdict = {
  readonly faults: readonly ConfigFault[]
  readonly warnings: readonly ConfigWarning[]
  /** undefined when the file is faulty. */
  readonly config: Config | undefined
}

/**
 * Lists the faults of a configuration file; when it has none, its warnings.
 * @returns the exit code: 0 when it is sound, 1 when there are warnings and `strict`, 2 when it has faults or cannot be read.
 */
function check(options: CheckOptions, env: Env, write: (text: string) => void): number {
  const { file, strict, json, allowed } = options
  const unknown = allowed.find((rule) => !RULE_NAMES.includes(rule))
  if (unknown !== undefined) {
    write(`--allow ${unknown}: there is no such warning; there are ${RULE_NAMES.join(', ')}\n`)
    return 2
  }
  const text = readText(file)
  if (text instanceof Error) {
    const message = `cannot be read: ${text.message}`
    write(json ? documentOf(file, [{ message }], []) : `${file}: ${message}\n`)
    return 2
  }
  const { faults, warnings, config } = judge(text, file, env, allowed)
  if (json) write(documentOf(file, faults.map(faultShown), warnings.map(warningShown)))
  else write(`${formatFaults(faults)}${formatWarnings(warnings)}${summaryOf(file, faults, warnings, config)}\n`)
  if (config === undefined) return 2
  return strict && warnings.length > 0 ? 1 : 0
}

function judge(text: string, file: string, env: Env, allowed: readonly string[]): Verdict {
  const loaded = loadConfig(text, file, env)
  if (!loaded.ok) return { faults: loaded.faults, warnings: [], config: undefined }
  const warnings = warningsOf(loaded.config, loaded.origins).filter(({ rule }) => !allowed.includes(rule))
  return { faults: [], warnings, config: loaded.config }
}

function summaryOf(
  file: string,
  faults: readonly ConfigFault[],
  warnings: readonly ConfigWarning[],
  config: Config | undefined,
): string {
  if (config === undefined) return `${file}: ${counted(faults.length, 'fault')}`
  const routes = config.upstreams.reduce((sum, upstream) => sum + upstream.routes.length, 0)
  const has = `${counted(config.upstreams.length, 'upstream')}, ${counted(routes, 'route')}`
  return `${file}: ok, ${has}${warnings.length === 0 ? '' : `, ${counted(warnings.length, 'warning')}`}`
}

const counted = (count: number, what: string) => `${count} ${what}${count === 1 ? '' : 's'}`

const documentOf = (file: string, faults: readonly object[], warnings: readonly object[]) =>
  `${JSON.stringify({ file, ok: faults.length === 0, faults, warnings }, undefined, 2)}\n`

const faultShown = ({ line, column, path, message, suggestion, excerpt, caret }: ConfigFault) => ({
  line,
  column,
  path,
  message,
  suggestion,
  excerpt,
  caret,
})

const warningShown = ({ rule, line, column, path, reason, fix, excerpt, caret }: ConfigWarning) => ({
  rule,
  line,
  column,
  path,
  reason,
  fix,
  excerpt,
  caret,
})
