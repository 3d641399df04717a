/** Answers a simulation that the control API was asked for. */

import type { z } from 'zod'
import type { ConfigFault } from '../../config/file/faults.ts'
import { type Env, variablesIn } from '../../config/file/interpolate.ts'
import { merged } from '../../config/file/merged.ts'
import { loadConfig } from '../../config/load.ts'
import { versionOf } from '../../config/version.ts'
import { type Named, ofLog, ofScenario } from '../compare.ts'
import { ORDER, type SimulationAnswer, type SimulationFault, type SimulationOrder } from './order.ts'
import { readLog } from '../recorded/log.ts'
import { rowsOf, type Report, table } from '../report/report.ts'
import { loadScenario } from '../scenario.ts'

/** A request that is not acceptable, in words. */
class Unacceptable extends Error {
  readonly status: 400 | 422
  readonly faults: readonly SimulationFault[]

  constructor(status: 400 | 422, detail: string, faults: readonly SimulationFault[] = []) {
    super(detail)
    this.status = status
    this.faults = faults
  }
}

type Asked = z.output<typeof ORDER>

/** @param env variables of the environment; of these, a changed configuration gets those that the file in force names. */
export async function answerTo({ body, present }: SimulationOrder, env: Env): Promise<SimulationAnswer> {
  try {
    const asked = askedIn(body)
    const report = await reportOn(asked, configsOf(asked, present, env))
    return { ok: true, json: JSON.stringify({ ...report, rows: rowsOf(report) }), text: table(report) }
  } catch (error) {
    if (!(error instanceof Unacceptable)) throw error
    return { ok: false, status: error.status, detail: error.message, faults: error.faults }
  }
}

function askedIn(body: readonly Uint8Array[]): Asked {
  const read = ORDER.safeParse(jsonIn(Buffer.concat(body).toString()))
  if (read.success) return read.data
  const [issue] = read.error.issues
  const path = issue?.path.join('.') ?? ''
  throw new Unacceptable(400, `${path === '' ? '' : `${path}: `}${issue?.message ?? 'not acceptable'}`)
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new Unacceptable(400, `the body is not JSON: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** The configuration in force, and the changed one where one is asked for. */
function configsOf(
  { changes, config: whole }: Asked,
  { config, version, text }: SimulationOrder['present'],
  env: Env,
): [Named, ...Named[]] {
  const present = { name: 'in force', version, config }
  const wanted = whole ?? (changes === undefined ? undefined : laidOver(text, changes))
  if (wanted === undefined) return [{ ...present, role: 'asked' }]
  const loaded = loadConfig(wanted, 'changed', namedIn(text, env))
  if (!loaded.ok) throw faulty('the changed configuration has faults', loaded.faults, whole !== undefined)
  const changed: Named = { name: 'changed', version: versionOf(wanted), config: loaded.config, role: 'asked' }
  return [{ ...present, role: 'other' }, changed]
}

function laidOver(text: string, changes: string): string {
  if (text === '')
    throw new Unacceptable(422, 'changes: the configuration in force comes from no file: send a whole `config`')
  const laid = merged(text, changes)
  if (typeof laid === 'string') return laid
  throw new Unacceptable(422, 'the changes cannot be read', [{ line: null, path: '', message: laid.message }])
}

const namedIn = (text: string, env: Env): Env => Object.fromEntries(variablesIn(text).map((name) => [name, env[name]]))

async function reportOn(asked: Asked, configs: readonly [Named, ...Named[]]): Promise<Report> {
  const { seed, unseen, late, patience } = asked
  if (asked.scenario !== undefined) {
    const loaded = loadScenario(asked.scenario, 'scenario')
    if (!loaded.ok) throw faulty('the scenario has faults', loaded.faults, true)
    return ofScenario('scenario', loaded.scenario, configs, seed)
  }
  const log = await readLog(pieceOf(asked.log ?? ''))
  if (log.length === 0) throw new Unacceptable(422, 'the log has no line of a request: log.access has to be on')
  const assumptions = { unseen, lateMs: late, patienceMs: patience }
  return ofLog('access log', log, configs, { assumptions, seed })
}

async function* pieceOf(text: string): AsyncIterable<string> {
  yield text
}

/** Largest number of faults that are told. */
const MAX_FAULTS = 20

const faulty = (detail: string, faults: readonly ConfigFault[], hasLines: boolean) =>
  new Unacceptable(
    422,
    detail,
    faults.slice(0, MAX_FAULTS).map(({ line, path, message, suggestion }) => ({
      line: hasLines ? line : null,
      path,
      message: suggestion === undefined ? message : `${message}, did you mean "${suggestion}"?`,
    })),
  )
