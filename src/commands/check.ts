import { type ConfigFault, formatFaults } from '../config/file/faults.ts'
import type { Env } from '../config/file/interpolate.ts'
import { loadConfig } from '../config/load.ts'
import type { Config } from '../config/schema.ts'
import { type ConfigWarning, formatWarnings, RULE_NAMES, warningsOf } from '../config/warnings.ts'
import { Unanswerable } from '../explain/explanation.ts'
import { judgeSample, sampleText } from '../explain/sample.ts'
import { firstField } from '../net/fields.ts'
import { command, fieldsOf, type Surroundings } from './command.ts'
import { UsageError } from './usage-error.ts'
import { diskBytes, readConfig, readText } from './read-config.ts'

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
      --sample RESPONSE --route 'METHOD /path' [--status N] [--header 'NAME: VALUE']… [--upstream NAME]
                                   instead: say what the route's hold, failureWhen and completedWhen make of a response;
                                   FILE is proxy.yaml by default
`,
  options: {
    strict: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    allow: { type: 'string', multiple: true },
    sample: { type: 'string' },
    route: { type: 'string' },
    upstream: { type: 'string' },
    status: { type: 'string' },
    header: { type: 'string', multiple: true },
  },
  allowPositionals: true,
  run: (values, [file, ...others], surroundings) => {
    const { strict, json, allow = [], sample } = values
    if (others.length > 0) throw new UsageError('expected one file')
    if (sample !== undefined) return checkSample(file ?? DEFAULT_FILE, sample, values, surroundings)
    const unused = (['route', 'upstream', 'status', 'header'] as const).find((name) => values[name] !== undefined)
    if (unused !== undefined) throw new UsageError(`--${unused} needs --sample`)
    if (file === undefined) throw new UsageError('expected one file')
    return check({ file, strict, json, allowed: allow }, surroundings.env, surroundings.write)
  },
})

/** File of `check --sample` when none is named. */
const DEFAULT_FILE = 'proxy.yaml'

type SampleOptions = {
  readonly strict: boolean
  readonly json: boolean
  readonly route?: string | undefined
  readonly upstream?: string | undefined
  readonly status?: string | undefined
  readonly header?: string[] | undefined
}

/**
 * Prints what the rules of a route make of a response.
 * @param sample file with the response's body.
 * @returns the exit code: 0, 1 when a rule cannot tell and `strict`, 2 when there is no answer.
 */
function checkSample(
  file: string,
  sample: string,
  { strict, json, route, upstream, status = '200', header = [] }: SampleOptions,
  { env, write, complain }: Surroundings,
): number {
  if (route === undefined) throw new UsageError("--sample needs --route 'METHOD /path'")
  if (!/^[1-5]\d\d$/.test(status)) throw new UsageError('--status: expected a status such as 200')
  const given = fieldsOf(header)
  const headers =
    firstField(given, 'content-type') === undefined ? [...given, 'content-type', 'application/json'] : given
  const read = readConfig(file, env)
  const text = readText(sample)
  if (typeof read === 'string' || text instanceof Error) {
    complain(typeof read === 'string' ? read : `breakwater: cannot read ${sample}: ${String(text)}\n`)
    return 2
  }
  try {
    const question = { route, upstream, status: Number(status), headers, body: Buffer.from(text) }
    const verdict = judgeSample(read.config, read.origins, question)
    write(json ? `${JSON.stringify({ file, ...verdict }, undefined, 2)}\n` : sampleText(verdict))
    return strict && verdict.rules.some(({ finding }) => finding.verdict === 'unknown') ? 1 : 0
  } catch (error) {
    if (!(error instanceof Unanswerable)) throw error
    complain(`breakwater: ${error.message}\n`)
    return 2
  }
}

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
  const warnings = warningsOf(loaded.config, loaded.origins, diskBytes).filter(({ rule }) => !allowed.includes(rule))
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
