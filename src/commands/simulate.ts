import { createReadStream, readFileSync, writeFileSync } from 'node:fs'
import { formatFaults } from '../config/file/faults.ts'
import type { Env } from '../config/file/interpolate.ts'
import { loadConfig } from '../config/load.ts'
import type { Assumptions } from '../simulate/assumptions.ts'
import { type Named, ofLog, ofScenario } from '../simulate/compare.ts'
import { page } from '../simulate/report/plot.ts'
import { readLog, type RecordedLog } from '../simulate/recorded/log.ts'
import { table } from '../simulate/report/report.ts'
import { loadScenario, type Scenario } from '../simulate/scenario.ts'
import { versionOf } from '../config/version.ts'
import { command, type Surroundings } from './command.ts'
import { unreadable } from './log-lines.ts'
import { UsageError } from './usage-error.ts'
import { durationMs } from '../config/kinds/units.ts'

type SimulateOptions = {
  /** Files; `-` reads the log from stdin. */
  readonly config: string
  readonly against: string | undefined
  readonly source: { readonly log: string } | { readonly scenario: string }
  /** File for a page with plots. */
  readonly html: string | undefined
  readonly json: boolean
  readonly seed: number
  readonly assumptions: Assumptions
}

/** A file that has faults or cannot be read, with the lines to print. */
class FileError extends Error {}

export const simulateCommand = command({
  name: 'simulate',
  usage: `  breakwater simulate --config NEW --log FILE [--against OLD]
                                   replay an access log (- for stdin) through a configuration and compare with the recorded run
  breakwater simulate --config NEW --scenario FILE [--against OLD]
                                   the same with the traffic and outages of a scenario
      --unseen nearest|ok|fail     the answer of a call that the log does not have (nearest)
      --late never|30s             the time of an answer that the sidecar gave up on (never)
      --patience forever|30s       the time that clients wait who did not leave (forever)
      --seed N                     the seed of the random numbers (1)
      --json, --html FILE          all figures as JSON; a page with plots
`,
  options: {
    config: { type: 'string' },
    against: { type: 'string' },
    log: { type: 'string' },
    scenario: { type: 'string' },
    unseen: { type: 'string', default: 'nearest' },
    late: { type: 'string', default: 'never' },
    patience: { type: 'string', default: 'forever' },
    seed: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
    html: { type: 'string' },
  },
  allowPositionals: false,
  run: (values, _positionals, surroundings) => {
    const { config, against, log, scenario, html, json } = values
    if (config === undefined) throw new UsageError('--config: expected a file')
    const source = log === undefined ? (scenario === undefined ? undefined : { scenario }) : { log }
    if (source === undefined || (log !== undefined && scenario !== undefined))
      throw new UsageError('expected either --log or --scenario')
    const unseen = (['nearest', 'ok', 'fail'] as const).find((word) => word === values.unseen)
    if (unseen === undefined) throw new UsageError('--unseen: expected nearest, ok or fail')
    if (!/^\d{1,9}$/.test(values.seed)) throw new UsageError('--seed: expected a whole number')
    const assumptions = {
      unseen,
      lateMs: lengthOr('--late', values.late, 'never'),
      patienceMs: lengthOr('--patience', values.patience, 'forever'),
    }
    return simulate({ config, against, source, html, json, seed: Number(values.seed), assumptions }, surroundings)
  },
})

/** In ms; Infinity for the word that means no limit. */
function lengthOr(option: string, given: string, endless: string): number {
  const ms = given === endless ? Number.POSITIVE_INFINITY : durationMs(given)
  if (ms === undefined) throw new UsageError(`${option}: expected ${endless} or a duration such as 30s`)
  return ms
}

/**
 * Runs a log or a scenario through a configuration, and through another one to compare with.
 * @returns the exit code: 0, or 2 when a file has faults or cannot be read.
 */
async function simulate(options: SimulateOptions, { env, write, complain }: Surroundings): Promise<number> {
  try {
    const asked: Named = { role: 'asked', ...configAt(options.config, env) }
    const other = options.against
    const configs: [Named, ...Named[]] =
      other === undefined ? [asked] : [{ role: 'other', ...configAt(other, env) }, asked]
    const { source } = options
    const report =
      'log' in source
        ? await ofLog(source.log, await logAt(source.log), configs, options)
        : await ofScenario(source.scenario, scenarioAt(source.scenario), configs, options.seed)
    if (options.html !== undefined) writeFileSync(options.html, page(report))
    write(options.json ? `${JSON.stringify(report, undefined, 2)}\n` : table(report))
    return 0
  } catch (error) {
    if (!(error instanceof FileError)) throw error
    complain(error.message)
    return 2
  }
}

function configAt(file: string, env: Env): Omit<Named, 'role'> {
  const text = textOf(file)
  const loaded = loadConfig(text, file, env)
  if (!loaded.ok) throw new FileError(formatFaults(loaded.faults))
  return { name: file, version: versionOf(text), config: loaded.config }
}

async function logAt(file: string): Promise<RecordedLog> {
  const log = await readLog(piecesOf(file))
  if (log.length === 0) throw new FileError(`${file}: has no line of a request: log.access has to be on\n`)
  return log
}

function scenarioAt(file: string): Scenario {
  const loaded = loadScenario(textOf(file), file)
  if (!loaded.ok) throw new FileError(formatFaults(loaded.faults))
  return loaded.scenario
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw unreadableFile(file, error)
  }
}

async function* piecesOf(file: string): AsyncIterable<string> {
  const stream = file === '-' ? process.stdin : createReadStream(file, { highWaterMark: 1024 * 1024 })
  try {
    for await (const piece of stream.setEncoding('utf8')) yield piece
  } catch (error) {
    throw unreadableFile(file, error)
  }
}

const unreadableFile = (file: string, error: unknown) => new FileError(`${unreadable(file, error)}\n`)
