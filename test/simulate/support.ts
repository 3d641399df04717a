import { formatFaults } from '../../src/config/file/faults.ts'
import { loadConfig } from '../../src/config/load.ts'
import type { Config } from '../../src/config/schema.ts'
import type { Assumptions } from '../../src/simulate/assumptions.ts'
import { type RecordedLog, readLog } from '../../src/simulate/recorded/log.ts'
import { loadScenario, type Scenario } from '../../src/simulate/scenario.ts'

export const BY_DEFAULT: Assumptions = {
  unseen: 'nearest',
  lateMs: Number.POSITIVE_INFINITY,
  patienceMs: Number.POSITIVE_INFINITY,
}

/** @param file in the shape of the configuration file. */
export function configOf(file: object): Config {
  const loaded = loadConfig(JSON.stringify(file), 'test.yaml', {})
  if (!loaded.ok) throw new Error(formatFaults(loaded.faults))
  return loaded.config
}

export function scenarioOf(file: object): Scenario {
  const loaded = loadScenario(JSON.stringify(file), 'scenario.yaml')
  if (!loaded.ok) throw new Error(formatFaults(loaded.faults))
  return loaded.scenario
}

/** @param lines log lines of the sidecar as objects, before JSON. */
export function logOf(lines: readonly object[]): Promise<RecordedLog> {
  const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('')
  return readLog(pieces(text, 1_000))
}

async function* pieces(text: string, length: number): AsyncIterable<string> {
  for (let at = 0; at < text.length; at += length) yield text.slice(at, at + length)
}
